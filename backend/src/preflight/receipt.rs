//! What the backend reports when an operation has ended. Values only.
use std::time::Duration;

use solana_pubkey::Pubkey;

/// One transaction that was sent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SentTx {
    /// What the transaction did.
    pub verb: String,
    /// Its signature, base58.
    pub signature: String,
    /// The slot it landed in.
    pub slot: u64,
    /// Compute units it used, as simulated just before.
    pub units: Option<u64>,
    /// Serialised size.
    pub bytes: usize,
    /// Time from the first broadcast to confirmation.
    pub elapsed: Duration,
    /// Why it failed on chain, as a sentence.
    pub error: Option<String>,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Receipt {
    /// Every transaction that was sent, in order of confirmation.
    pub sent: Vec<SentTx>,
    /// One sentence.
    pub summary: String,
    /// What failed: one sentence each, which names the account.
    pub failures: Vec<String>,
    /// The account that a command of `setup` made or changed.
    #[serde(skip)]
    pub subject: Option<Pubkey>,
}
