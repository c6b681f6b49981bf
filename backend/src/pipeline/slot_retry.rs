//! The one reason to try the same step again by itself: the loader's rule that a program can be
//! changed once a slot and called from the next one.
use std::time::Duration;

use solana_instruction::Instruction;

use crate::{
    chain::{client::ChainClient, send::Landed},
    error::{BackendError, Result},
    failure::Blame,
    keys::signer::Signer,
};

/// Pause before the next try: about one slot.
pub(crate) const SLOT_RETRY_INTERVAL: Duration = Duration::from_millis(450);
/// Tries in all; anyone can delay an upgrade by a slot at a price, not for ever.
pub(crate) const MAX_TRIES: u32 = 20;

/// Sends `message`; when it fails only because of the slot it met, tries again in the next.
pub(crate) async fn send_with_slot_retry(
    chain: &ChainClient,
    what: &str,
    message: &[Instruction],
    signers: &[&dyn Signer],
    units: Option<u64>,
) -> Result<Landed> {
    let mut tries = 1;
    loop {
        let outcome = chain.send_exactly(what, message, signers, units).await;
        let failure = match &outcome {
            Ok(landed) => landed.failure.as_ref(),
            Err(BackendError::Transaction { failure, .. }) => Some(failure),
            Err(_) => None,
        };
        if failure.is_none_or(|f| f.blame != Blame::Slot) || tries >= MAX_TRIES {
            return outcome;
        }
        tries = tries.saturating_add(1);
        tokio::time::sleep(SLOT_RETRY_INTERVAL).await;
    }
}
