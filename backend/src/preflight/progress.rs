//! What the backend reports while an operation runs. Values only.
use crate::preflight::receipt::SentTx;

/// One report of a running operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// How far a part of the work is.
    Step {
        /// What is being done.
        label: String,
        /// Items done.
        done: u64,
        /// Items in all.
        total: u64,
        /// Items that failed for good.
        failed: u64,
    },
    /// The last check before signing has passed. Until then nothing is signed.
    Sending,
    /// A transaction was confirmed or failed on chain.
    Sent(SentTx),
}
