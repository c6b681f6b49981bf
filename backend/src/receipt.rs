//! What the backend reports while it works and when it is done. Values only.
use std::time::Duration;

/// One transaction that was sent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SentTx {
    /// What it did.
    pub verb: String,
    /// Its signature, base58.
    pub signature: String,
    /// The slot it landed in.
    pub slot: u64,
    /// Compute units it used, as simulated just before.
    pub units: Option<u64>,
    /// Serialised size.
    pub bytes: usize,
    /// From the first send to confirmation.
    pub elapsed: Duration,
    /// Why it failed on chain, in words.
    pub error: Option<String>,
}

/// News of a running operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// How far a step is.
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

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Receipt {
    /// Every transaction that was sent, in order of confirmation.
    pub sent: Vec<SentTx>,
    /// One sentence.
    pub summary: String,
    /// What did not work: one sentence each, with the account.
    pub failures: Vec<String>,
}
