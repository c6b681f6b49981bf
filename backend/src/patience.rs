//! The one reason to try the same step again by itself: the loader's rule that a program can be
//! changed once a slot and called from the next one.
use std::time::Duration;

use solana_instruction::Instruction;

use crate::{
    backend::Backend,
    error::{BackendError, Result},
    gateway::{Blame, Landed},
    signer::Signer,
};

/// Pause before the next try: about one slot.
pub(crate) const ONE_SLOT: Duration = Duration::from_millis(450);
/// Tries in all; anyone can delay an upgrade by a slot at a price, not for ever.
pub(crate) const TRIES: u32 = 20;

impl Backend {
    /// Sends `message`; when it fails only because of the slot it met, tries again in the next.
    pub(crate) async fn send_patiently(
        &self,
        what: &str,
        message: &[Instruction],
        signers: &[&dyn Signer],
        units: Option<u64>,
    ) -> Result<Landed> {
        let mut tries = 1;
        loop {
            let outcome = self.gateway().send_exactly(what, message, signers, units).await;
            let failure = match &outcome {
                Ok(landed) => landed.failure.as_ref(),
                Err(BackendError::Transaction { failure, .. }) => Some(failure),
                Err(_) => None,
            };
            if failure.is_none_or(|f| f.blame != Blame::Slot) || tries >= TRIES {
                return outcome;
            }
            tries = tries.saturating_add(1);
            tokio::time::sleep(ONE_SLOT).await;
        }
    }
}
