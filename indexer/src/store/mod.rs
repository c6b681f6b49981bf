//! Where the mirror is kept. One trait, two stores; what is written and why is decided in [`merge`]
//! and is the same for both. A store never reads the chain.
mod error;
mod merge;
pub mod postgres;

pub mod sqlite;
mod types;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use async_trait::async_trait;
use solana_pubkey::Pubkey;
use upgrade_manager::state::AccountVersion;

use crate::audit::{AuditEntry, AuditRow};

pub use error::{Result, StoreError};
pub use types::{
    Applied, Batch, Closing, ProgressRow, Quarantined, RawRow, RecordQuery, Row, Run, SentRow,
    Update, View,
};

/// Number of the newest file in `migrations/`.
pub const SCHEMA: i64 = 2;

/// The mirror of one manager program on one cluster.
///
/// Every method is one transaction: it happens in full or, when it returns an error or the process
/// dies, not at all.
#[async_trait]
pub trait Store: Send + Sync {
    /// Takes the store for a new run of the indexer; the first run ever pins program and cluster.
    ///
    /// # Errors
    /// [`StoreError::WrongCluster`], [`StoreError::WrongProgram`].
    async fn begin_run(&self, program_id: &Pubkey, genesis_hash: &[u8; 32]) -> Result<Run>;

    /// Writes what is newer than what is there, with counters and frontier.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn apply(&self, batch: Batch) -> Result<Applied>;

    /// Ends a complete snapshot at `slot`: every live row older than it and not in `present` is
    /// closed, and from now on nothing older than `slot` is accepted. A snapshot that is not newer
    /// than the last one changes nothing; unless it is `trusted`, neither does one that lacks most
    /// of the mirror.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn tombstone_missing(
        &self,
        slot: u64,
        present: Arc<HashSet<Pubkey>>,
        trusted: bool,
    ) -> Result<Closing>;

    /// Appends finalised events in their order and moves the history mark to `upto`. Events that
    /// are already there are skipped. Returns how many were new.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn append_audit(&self, entries: Vec<AuditEntry>, upto: u64) -> Result<u64>;

    /// Slot up to which history is in the audit log.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn history_mark(&self) -> Result<u64>;

    /// Everything but the version records and backups, closed rows included, and the counters.
    ///
    /// # Errors
    /// When the store does not answer, or holds bytes it should never have accepted.
    async fn view(&self) -> Result<View>;

    /// Live version records of `program`, ascending by the record's address.
    ///
    /// # Errors
    /// As [`Self::view`].
    async fn account_versions(
        &self,
        program: &Pubkey,
        query: RecordQuery,
    ) -> Result<Vec<Row<AccountVersion>>>;

    /// Live rows of every kind as bytes, ascending by address, after `after`.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn rows(&self, after: Option<Pubkey>, limit: u32) -> Result<Vec<RawRow>>;

    /// The counters as kept, by program and proposal. `recount` counts the rows instead.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn progress(&self, recount: bool) -> Result<BTreeMap<(Pubkey, Pubkey), ProgressRow>>;

    /// Accounts that could not be decoded.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn quarantined(&self) -> Result<Vec<Quarantined>>;

    /// Audit rows, always oldest first: the newest `limit` without `after_seq`, else the first
    /// `limit` behind `after_seq` (0 is before the first).
    ///
    /// # Errors
    /// When the store does not answer.
    async fn audit(&self, after_seq: Option<u64>, limit: u32) -> Result<Vec<AuditRow>>;

    /// Remembers a transaction that this control room sent.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn record_sent(&self, row: &SentRow) -> Result<()>;

    /// Transactions that this control room sent, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn sent(&self, limit: u32) -> Result<Vec<SentRow>>;

    /// True exactly once ever for each `key`: whoever gets it gives the notice.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn claim_notice(&self, key: &str) -> Result<bool>;

    /// A number that grows whenever something a screen shows has changed.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn revision(&self) -> Result<u64>;
}
