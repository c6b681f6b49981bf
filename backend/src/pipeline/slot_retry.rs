//! Retries in the next slot. The loader lets a program be changed once a slot and called from the next
//! slot on, so a transaction that meets the wrong slot can succeed unchanged a moment later. Nothing else
//! is retried without the operator.
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
/// Most tries. Anyone can pay to extend a program and so delay its upgrade by one slot, but not for ever.
pub(crate) const MAX_TRIES: u32 = 20;

/// Sends `message`, and again in the next slot when only the slot is to blame for its failure.
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
