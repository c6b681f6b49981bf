//! The trait for mirrored accounts, the lease and the marks.
use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::state::AccountVersion;

use super::{
    error::Result,
    full_row::FullRow,
    pubkey_set::PubkeySet,
    types::{
        Applied, Batch, Closing, Fill, Marks, MirrorState, ProgressRow, RawRow, RecordQuery,
        Retention, Row, Run, Undone, View,
    },
};
use crate::account::Quarantined;

/// The mirror of one manager program on one cluster.
///
/// Every method is one transaction: it happens in full or, when it returns an error or the process
/// dies, not at all.
#[async_trait]
pub trait MirrorStore: Send + Sync {
    /// Begins a new run, which gets the lease under the display name `owner`. The first run of a store
    /// pins program and cluster.
    ///
    /// # Errors
    /// [`super::StoreError::WrongCluster`], [`super::StoreError::WrongProgram`];
    /// [`super::StoreError::Leased`] while another owner's lease runs;
    /// [`super::StoreError::ReadOnly`].
    async fn begin_run(
        &self,
        program_id: &Pubkey,
        genesis_hash: &[u8; 32],
        owner: &str,
    ) -> Result<Run>;

    /// Renews the lease of `run`, raises the marks and deletes undo information of finalised slots.
    /// Must be called every [`super::RENEW_INTERVAL`], also when nothing changes.
    ///
    /// # Errors
    /// [`super::StoreError::Fenced`]; when the store does not answer.
    async fn keep(&self, _run: &Run, _marks: Marks) -> Result<()>;

    /// Releases the lease of `run`, if it still holds it.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn end_run(&self, run: &Run) -> Result<()>;

    /// Identity, marks, audit head and lease of the store.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn state(&self) -> Result<MirrorState>;

    /// Whether this process may only read.
    fn read_only(&self) -> bool;

    /// Writes the states and closes that are newer than the stored rows, with counters and frontier.
    /// Logs the previous rows of stream writes above the root, for [`Self::undo`].
    ///
    /// # Errors
    /// [`super::StoreError::Fenced`]; when the store does not answer.
    async fn apply(&self, run: &Run, batch: Batch) -> Result<Applied>;

    /// Bulk-loads the rows of a first snapshot, in any order and each account once, in one
    /// transaction. Returns their number; [`None`], without writing, when the store already holds
    /// accounts.
    ///
    /// # Errors
    /// [`super::StoreError::Fenced`]; when the store does not answer, or the sender ends without
    /// having sent [`Fill::End`]. Then nothing was written, and the caller must send everything again.
    async fn fill(&self, _run: &Run, _rows: mpsc::Receiver<Fill>) -> Result<Option<u64>>;

    /// Ends a complete snapshot at `slot`: every live row older than it and not in `present` is
    /// closed, and from now on nothing older than `slot` is accepted. A list alone proves no
    /// absence, so each row that is closed must be in `gone`: those accounts were asked for by
    /// address and did not exist at `slot` or later. Where one is in neither, nothing is changed
    /// and [`Closing::Unproved`] names them. A snapshot that is not newer than the last one changes
    /// nothing.
    ///
    /// # Errors
    /// [`super::StoreError::Fenced`]; when the store does not answer.
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

    /// Undoes every write of the `orphaned` slots: each account gets the state it would have without
    /// them.
    ///
    /// # Errors
    /// [`super::StoreError::Fenced`]; when the store does not answer.
    async fn undo(&self, run: &Run, orphaned: &[u64]) -> Result<Undone>;

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

    /// The stored counters, by program and proposal. `recount` counts the rows instead.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn progress(&self, recount: bool) -> Result<BTreeMap<(Pubkey, Pubkey), ProgressRow>>;

    /// Accounts that could not be decoded.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn quarantined(&self) -> Result<Vec<Quarantined>>;

    /// A number that grows whenever displayed data changes.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn revision(&self) -> Result<u64> {
        Ok(self.state().await?.rev)
    }

    /// Removes rows older than `retention` allows, never the audit log. Returns how many.
    ///
    /// # Errors
    /// [`super::StoreError::Fenced`]; when the store does not answer.
    async fn retain(&self, run: &Run, retention: &Retention) -> Result<u64>;
}
