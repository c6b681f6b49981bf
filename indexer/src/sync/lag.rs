//! Compares the node's slot with other nodes: a node that lags still calls itself healthy.
use std::{sync::Arc, time::Duration};

use super::session::Session;
use crate::{ops::health::Reason, source::error::Result};

/// Time between two comparisons.
const COMPARE_INTERVAL: Duration = Duration::from_secs(10);
/// Comparisons in a row that must find the node behind before the connection ends.
const MIN_REPEATS: u32 = 2;

/// Ends the connection when other nodes are ahead by more than the configured limit.
pub(super) async fn lag(session: Arc<Session>) -> Result<()> {
    let context = &session.context;
    if context.endpoints.others().is_empty() {
        return std::future::pending().await;
    }
    let mut behind = 0u32;
    loop {
        tokio::time::sleep(COMPARE_INTERVAL.min(context.config.probe)).await;
        let lag = match context.endpoints.lag().await {
            Ok(Some(lag)) => lag,
            Ok(None) => continue,
            Err(e) => {
                tracing::debug!("how far the node is cannot be told: {e}");
                continue;
            }
        };
        // Another node that names an implausible slot must not make this one look behind.
        if session.check_slot_plausible(lag.tip).await.is_err() {
            continue;
        }
        context.health.send_if_modified(|h| std::mem::replace(&mut h.tip, lag.tip) != lag.tip);
        behind = if lag.too_far { behind.saturating_add(1) } else { 0 };
        context.reason(Reason::NodeBehind, lag.too_far);
        if behind >= MIN_REPEATS {
            return Err(session.rpc.behind(lag.slot, lag.tip));
        }
    }
}
