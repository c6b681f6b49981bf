//! Progress of a running operation for an optional listener. A listener that is gone or slow never stops
//! the work.
use std::time::Duration;

use tokio::sync::mpsc;

use crate::preflight::{progress::Progress, receipt::SentTx};

/// Longest wait for a listener whose channel is full; the receipt lists every transaction anyway.
const LISTENER_TIMEOUT: Duration = Duration::from_secs(2);

/// The sending half of a listener's channel, if there is a listener.
pub(crate) struct Reporter(Option<mpsc::Sender<Progress>>);

impl Reporter {
    pub(crate) fn new(listener: Option<mpsc::Sender<Progress>>) -> Self {
        Self(listener)
    }

    /// A step for which the channel has no room is left out; the next one replaces it.
    pub(crate) fn step(&self, label: &str, done: u64, total: u64, failed: u64) {
        if let Some(listener) = &self.0 {
            let news = Progress::Step { label: label.into(), done, total, failed };
            let _ = listener.try_send(news);
        }
    }

    /// Reports that the last check has passed: from here on something may be signed.
    pub(crate) async fn sending(&self) {
        if let Some(listener) = &self.0 {
            let _ = listener.send_timeout(Progress::Sending, LISTENER_TIMEOUT).await;
        }
    }

    pub(crate) async fn sent(&self, sent: &SentTx) {
        if let Some(listener) = &self.0 {
            let _ = listener.send_timeout(Progress::Sent(sent.clone()), LISTENER_TIMEOUT).await;
        }
    }
}
