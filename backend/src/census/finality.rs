//! Waits for finality: only a finalized scan proves that no account was forgotten.
use std::time::{Duration, Instant};

use crate::{
    chain::client::ChainClient,
    error::{BackendError, Result},
};

/// Pause between two questions for the finalized slot.
const FINALITY_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Waits until `slot` is finalized, so that a finalized scan sees every change up to it. Calls `report`
/// with the finalized slot, at most `slot`, after each question.
pub(crate) async fn wait_final(
    chain: &ChainClient,
    slot: u64,
    report: impl Fn(u64),
) -> Result<u64> {
    let (started, longest) = (Instant::now(), chain.config().finality_timeout);
    loop {
        let finalized = chain.finalized_slot().await?;
        report(finalized.min(slot));
        if finalized >= slot {
            return Ok(finalized);
        }
        if started.elapsed() >= longest {
            return Err(BackendError::Stopped(format!(
                "slot {slot} is not finalized after {longest:?}: the node's last finalized slot is \
                 {finalized}. Run the same command again, or use another node."
            )));
        }
        tokio::time::sleep(FINALITY_POLL_INTERVAL).await;
    }
}
