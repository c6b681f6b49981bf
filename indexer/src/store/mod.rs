//! Where the mirror is kept. One trait, two stores; what is written and why is decided in [`merge`]
//! and is the same for both. A store never reads the chain.
pub mod announcement;
pub mod audit_log;
mod error;
mod full_row;
mod merge;
mod ops;
pub mod postgres;
mod pubkey_set;
pub mod sqlite;
mod types;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::state::AccountVersion;

use self::audit_log::{AuditEntry, AuditRow};
use crate::account::Quarantined;

pub use error::{Result, StoreError};
pub use full_row::FullRow;
pub use ops::{Announcement, DeadLetter, HookState, OpRow, OutboxRow, Retention, Sent};
pub use pubkey_set::PubkeySet;
pub use types::{
    Applied, Batch, Close, Closing, Fill, Lease, Marks, MirrorState, ProgressRow, RawRow,
    RecordQuery, Row, Run, SentRow, Undone, View,
};

/// How long a lease runs without being renewed, by the store's clock.
pub const LEASE_DURATION: Duration = Duration::from_secs(10);
/// How often a lease is renewed.
pub const RENEW_INTERVAL: Duration = Duration::from_secs(3);

/// Number of the newest file in `migrations/`.
pub const SCHEMA: i64 = 3;

/// The mirror of one manager program on one cluster.
///
/// Every method is one transaction: it happens in full or, when it returns an error or the process
/// dies, not at all.
#[async_trait]
pub trait Store: Send + Sync {
    /// Takes the store for a new run of the indexer, which holds the lease from then on as `owner`,
    /// a name for people. The first run ever pins program and cluster.
    ///
    /// # Errors
    /// [`StoreError::WrongCluster`], [`StoreError::WrongProgram`]; [`StoreError::Leased`] while
    /// another owner's lease runs; [`StoreError::ReadOnly`].
    async fn begin_run(
        &self,
        program_id: &Pubkey,
        genesis_hash: &[u8; 32],
        owner: &str,
    ) -> Result<Run>;

    /// Renews the lease of `run`, moves the marks up and forgets how to undo what is final. To be
    /// called every [`RENEW_INTERVAL`], also when nothing happens.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]; when the store does not answer.
    async fn keep(&self, _run: &Run, _marks: Marks) -> Result<()>;

    /// Gives the lease of `run` back, if it still holds it.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn end_run(&self, run: &Run) -> Result<()>;

    /// What the store knows about itself.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn state(&self) -> Result<MirrorState>;

    /// Whether this process may only read.
    fn read_only(&self) -> bool;

    /// Writes what is newer than what is there, with counters and frontier. Stream writes above the
    /// root keep what was there before, see [`Self::undo`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`]; when the store does not answer.
    async fn apply(&self, run: &Run, batch: Batch) -> Result<Applied>;

    /// Takes the rows of a first snapshot, in any order and each account once, as fast as the store
    /// can, in one transaction. Returns how many there were; [`None`], having taken nothing, when
    /// the store already holds accounts.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]; when the store does not answer, or the sender ends without having
    /// sent [`Fill::End`]. Then nothing is kept, and everything has to be sent again.
    async fn fill(&self, _run: &Run, _rows: mpsc::Receiver<Fill>) -> Result<Option<u64>>;

    /// Ends a complete snapshot at `slot`: every live row older than it and not in `present` is
    /// closed, and from now on nothing older than `slot` is accepted. A list alone proves no
    /// absence, so each row that is closed must be in `gone`: those accounts were asked for by
    /// address and did not exist at `slot` or later. Where one is in neither, nothing is changed and
    /// [`Closing::Unproved`] names them. A snapshot that is not newer than the last one changes
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]; when the store does not answer.
    async fn tombstone_missing(
        &self,
        run: &Run,
        slot: u64,
        present: Arc<PubkeySet>,
        gone: Arc<PubkeySet>,
    ) -> Result<Closing>;

    /// The slots up to `upto` in which something was written that can still be undone, ascending.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn undo_slots(&self, _upto: u64) -> Result<Vec<u64>>;

    /// Takes back what was written in the `orphaned` slots: each account is again what it was
    /// before the first of them, unless a slot that stays has written it since.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]; when the store does not answer.
    async fn undo(&self, run: &Run, orphaned: &[u64]) -> Result<Undone>;

    /// Appends finalised events in their order, with what is announced of them, and moves the
    /// history mark to `upto`. Events that are already there are skipped. Returns how many were new.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]; when the store does not answer.
    async fn append_audit(&self, run: &Run, entries: Vec<AuditEntry>, upto: u64) -> Result<u64>;

    /// Slot up to which history is in the audit log.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn history_mark(&self) -> Result<u64> {
        Ok(self.state().await?.history_slot)
    }

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

    /// Rows of every kind with every column, closed ones too, ascending by address, after `after`.
    ///
    /// # Errors
    /// When the store does not answer, or a column holds what it never should.
    async fn full_rows(&self, after: Option<Pubkey>, limit: u32) -> Result<Vec<FullRow>>;

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
    async fn revision(&self) -> Result<u64> {
        Ok(self.state().await?.rev)
    }

    /// Puts what is not an event of its own into the outbox; whether it was new.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]; when the store does not answer.
    async fn enqueue(&self, run: &Run, announcement: &Announcement) -> Result<bool>;

    /// What is to be announced behind number `after`, oldest first.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn outbox(&self, after: u64, limit: u32) -> Result<Vec<OutboxRow>>;

    /// How far webhook `name` is. A new one starts at number 1 and remembers `since_slot`, the newest
    /// finalised slot of that moment: it is not told what happened in that slot or before, so that
    /// history which is read again is no news.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn hook(&self, name: &str, since_slot: u64) -> Result<HookState>;

    /// Every webhook that [`Self::hook`] was asked for, by name.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn hooks(&self) -> Result<Vec<HookState>>;

    /// Notes what became of sending outbox row `id` to webhook `name`, which is never taken back
    /// to rows before the one it is at. Taken and dead: on to `id + 1` with no attempts. Again: one
    /// more attempt.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn hook_sent(&self, name: &str, id: u64, sent: &Sent) -> Result<()>;

    /// What webhooks would not take, oldest first.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn dead_letters(&self) -> Result<Vec<DeadLetter>>;

    /// Takes a dead letter off the list; whether it was there.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn forget_dead(&self, hook: &str, id: u64) -> Result<bool>;

    /// Notes something that happened here and not on chain; `detail` is a JSON object.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn log_op(&self, kind: &str, detail: &serde_json::Value) -> Result<()>;

    /// The newest notes of [`Self::log_op`], newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn ops(&self, limit: u32) -> Result<Vec<OpRow>>;

    /// Removes what is older than `retention` allows; never the audit log. How many rows.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]; when the store does not answer.
    async fn retain(&self, run: &Run, retention: &Retention) -> Result<u64>;
}
