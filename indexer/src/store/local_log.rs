//! The local log of this control room: sent transactions, notices, notes. It cannot be rebuilt from the
//! chain.
use async_trait::async_trait;
use solana_pubkey::Pubkey;

use super::error::Result;

/// One transaction that this control room sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentRow {
    /// When, milliseconds since 1970 by this machine's clock.
    pub at_ms: i64,
    /// The command, for example `approve`.
    pub verb: String,
    /// For which proposal.
    pub proposal: Option<Pubkey>,
    /// Its signature in base58.
    pub signature: String,
    /// Slot in which it was confirmed.
    pub slot: u64,
    /// Compute units it used.
    pub units: Option<u64>,
    /// Bytes it had.
    pub bytes: u64,
    /// Milliseconds from sending to confirmation.
    pub elapsed_ms: u64,
    /// The transaction's own error text.
    pub error: Option<String>,
}

/// A note about something that happened in this process and not on chain, such as a reconnect.
#[derive(Clone, Debug, PartialEq)]
pub struct OpRow {
    /// Its number.
    pub id: u64,
    /// When, milliseconds since 1970 by this machine's clock.
    pub at_ms: i64,
    /// Kind of note, for example `Disconnected`.
    pub kind: String,
    /// A JSON object.
    pub detail: serde_json::Value,
}

/// The local log of a store.
///
/// Every method is one transaction: it happens in full or, when it returns an error or the process
/// dies, not at all.
#[async_trait]
pub trait LocalLog: Send + Sync {
    /// Records a transaction that this control room sent.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn record_sent(&self, row: &SentRow) -> Result<()>;

    /// Transactions that this control room sent, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn sent(&self, limit: u32) -> Result<Vec<SentRow>>;

    /// True for the first call with `key`, false for every later one, also in other processes. The
    /// caller that gets true shows the notice.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn claim_notice(&self, key: &str) -> Result<bool>;

    /// Appends a note; `detail` is a JSON object.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn log_op(&self, kind: &str, detail: &serde_json::Value) -> Result<()>;

    /// The newest notes of [`Self::log_op`], newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn ops(&self, limit: u32) -> Result<Vec<OpRow>>;
}
