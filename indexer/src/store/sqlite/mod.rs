//! The embedded store: one SQLite file, one writer thread, one reader thread. It survives kill -9 at any
//! moment: every change is one `BEGIN IMMEDIATE` transaction in WAL mode.
mod audit;
mod close;
mod fill;
mod full_row;
mod lease;
mod notes;
mod open;
mod outbox;
mod read;
mod undo;
mod worker;
mod write;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use rusqlite::{Connection, TransactionBehavior};
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::state::AccountVersion;

use self::{
    lease::FileLock,
    open::Observer,
    worker::{SqliteFault, Worker},
};
use super::{
    Announcement, Applied, Batch, Closing, DeadLetter, Fill, FullRow, HookState, Lease, LocalLog,
    Marks, MirrorState, MirrorStore, OpRow, Outbox, OutboxRow, ProgressRow, PubkeySet, RawRow,
    RecordQuery, Result, Retention, Row, Run, Sent, SentRow, StoreError, Undone, View,
};
use crate::{
    account::Quarantined,
    store::audit_log::{AuditEntry, AuditRow, AuditStore},
};

/// The mirror in a SQLite file.
pub struct SqliteStore {
    place: String,
    /// [`None`] where this process may only read.
    writer: Option<Worker>,
    /// [`None`] for an in-memory store: a second connection would open another database.
    reader: Option<Worker>,
    /// The last field, so that the lock is released after the writer thread has ended.
    lock: FileLock,
}

impl SqliteStore {
    /// Opens the store at `path`, creates the file and its folder where they are missing, and migrates
    /// the schema. Without write permission it opens the store read-only.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::NotAStore`], [`StoreError::NewerSchema`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::opened(path.as_ref(), None)
    }

    /// As [`Self::open`]; calls `observer` before each statement of the writer thread. For tests that
    /// kill the process between any two statements.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_observed(path: impl AsRef<Path>, observer: Observer) -> Result<Self> {
        Self::opened(path.as_ref(), Some(observer))
    }

    /// Opens the store at `path` for reading only.
    ///
    /// # Errors
    /// As [`Self::open`]; also when it is not there, or its schema is older than this build's.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self> {
        let (path, place) = (path.as_ref(), path.as_ref().display().to_string());
        let reader = open::reading(path, &place)?;
        let reader = Some(Worker::start("store-reader", reader, &place)?);
        Ok(Self { writer: None, reader, lock: FileLock::of(None), place })
    }

    fn opened(path: &Path, observer: Option<Observer>) -> Result<Self> {
        let place = path.display().to_string();
        let Some(writer) = open::writing(path, &place, observer)? else {
            return Self::open_read_only(path);
        };
        let writer = Some(Worker::start("store-writer", writer, &place)?);
        let reader = open::reading(path, &place)?;
        let reader = Some(Worker::start("store-reader", reader, &place)?);
        Ok(Self { writer, reader, lock: FileLock::of(Some(path)), place })
    }

    /// An in-memory store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn open_in_memory() -> Result<Self> {
        let place = "memory".to_owned();
        let writer = Some(Worker::start("store-writer", open::memory(&place)?, &place)?);
        Ok(Self { writer, reader: None, lock: FileLock::of(None), place })
    }

    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, SqliteFault> + Send + 'static,
    ) -> Result<T> {
        let worker = self.reader.as_ref().or(self.writer.as_ref());
        let worker =
            worker.ok_or_else(|| SqliteFault::Corrupt("no thread".into()).at(&self.place))?;
        worker
            .call(move |connection| {
                // One transaction, so that rows, counters and revision are of the same moment.
                let tx = connection.transaction()?;
                job(&tx)
            })
            .await
    }

    fn writer(&self, what: &'static str) -> Result<&Worker> {
        let place = &self.place;
        self.writer.as_ref().ok_or_else(|| StoreError::ReadOnly { place: place.clone(), what })
    }

    /// Runs `job` in one write transaction; `what` names the written thing in error texts.
    async fn write<T: Send + 'static>(
        &self,
        what: &'static str,
        job: impl FnOnce(&Connection) -> Result<T, SqliteFault> + Send + 'static,
    ) -> Result<T> {
        self.writer(what)?
            .call(move |connection| {
                let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let done = job(&tx)?;
                tx.commit()?;
                Ok(done)
            })
            .await
    }

    /// As [`Self::write`], but refuses a `run` that is not the newest.
    async fn write_as<T: Send + 'static>(
        &self,
        run: &Run,
        what: &'static str,
        job: impl FnOnce(&Connection) -> Result<T, SqliteFault> + Send + 'static,
    ) -> Result<T> {
        let (run, place) = (*run, self.place.clone());
        let checked = move |tx: &Connection| {
            lease::check(tx, &run, &place)?;
            job(tx)
        };
        self.write(what, checked).await
    }

    /// The error for a run that cannot begin because another process holds the file lock.
    async fn leased(&self, program_id: &Pubkey, genesis_hash: &[u8; 32]) -> Result<Run> {
        let (program_id, genesis, place) = (*program_id, *genesis_hash, self.place.clone());
        self.read(move |tx| lease::identity(tx, (&program_id, &genesis), &place)).await?;
        let lease = self.state().await?.lease;
        let Lease { owner, left } = lease
            .unwrap_or_else(|| Lease { owner: "another process".to_owned(), left: Duration::ZERO });
        Err(StoreError::Leased { place: self.place.clone(), owner, left })
    }
}

impl Drop for SqliteStore {
    /// Checkpoints the write-ahead log, so that a copy of the database file alone is complete. The
    /// empty log file stays: a read-only user cannot create it, and cannot read without it.
    fn drop(&mut self) {
        if let Some(writer) = &self.writer {
            writer.post(|connection| {
                // Does not wait for readers: the next writer checkpoints the rest.
                let _ = connection.busy_timeout(Duration::ZERO);
                let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            });
        }
    }
}

#[async_trait]
impl MirrorStore for SqliteStore {
    async fn begin_run(
        &self,
        program_id: &Pubkey,
        genesis_hash: &[u8; 32],
        owner: &str,
    ) -> Result<Run> {
        self.writer("the lease")?;
        let Some(new) = self.lock.take(&self.place)? else {
            return self.leased(program_id, genesis_hash).await;
        };
        let (program_id, genesis, place) = (*program_id, *genesis_hash, self.place.clone());
        let owner = owner.to_owned();
        let begun = self
            .write("the lease", move |tx| lease::begin(tx, (&program_id, &genesis), &owner, &place))
            .await;
        if begun.is_err() && new {
            self.lock.release();
        }
        begun
    }

    async fn keep(&self, run: &Run, marks: Marks) -> Result<()> {
        self.write_as(run, "the lease", move |tx| lease::keep(tx, marks)).await
    }

    async fn end_run(&self, run: &Run) -> Result<()> {
        let run = *run;
        let ended = self.write("the lease", move |tx| lease::end(tx, &run)).await;
        self.lock.release();
        ended
    }

    async fn state(&self) -> Result<MirrorState> {
        self.read(read::state).await
    }

    fn read_only(&self) -> bool {
        self.writer.is_none()
    }

    async fn apply(&self, run: &Run, batch: Batch) -> Result<Applied> {
        self.write_as(run, "a batch of accounts", move |tx| write::apply(tx, batch)).await
    }

    async fn fill(&self, run: &Run, rows: mpsc::Receiver<Fill>) -> Result<Option<u64>> {
        let (run, place) = (*run, self.place.clone());
        self.writer("a first load")?
            .call(move |connection| fill::fill(connection, &run, &place, rows))
            .await
    }

    async fn tombstone_missing(
        &self,
        run: &Run,
        slot: u64,
        present: Arc<PubkeySet>,
        gone: Arc<PubkeySet>,
    ) -> Result<Closing> {
        let job = move |tx: &Connection| close::tombstone_missing(tx, slot, &present, &gone);
        self.write_as(run, "the end of a snapshot", job).await
    }

    async fn undo_slots(&self, upto: u64) -> Result<Vec<u64>> {
        self.read(move |tx| undo::slots(tx, upto)).await
    }

    async fn undo(&self, run: &Run, orphaned: &[u64]) -> Result<Undone> {
        let orphaned = orphaned.to_vec();
        self.write_as(run, "the undoing of a reorg", move |tx| undo::undo(tx, &orphaned)).await
    }

    async fn view(&self) -> Result<View> {
        self.read(read::view).await
    }

    async fn account_versions(
        &self,
        program: &Pubkey,
        query: RecordQuery,
    ) -> Result<Vec<Row<AccountVersion>>> {
        let program = *program;
        self.read(move |tx| read::account_versions(tx, &program, &query)).await
    }

    async fn rows(&self, after: Option<Pubkey>, limit: u32) -> Result<Vec<RawRow>> {
        self.read(move |tx| read::rows(tx, after, limit)).await
    }

    async fn full_rows(&self, after: Option<Pubkey>, limit: u32) -> Result<Vec<FullRow>> {
        self.read(move |tx| full_row::rows(tx, after, limit)).await
    }

    async fn progress(&self, recount: bool) -> Result<BTreeMap<(Pubkey, Pubkey), ProgressRow>> {
        self.read(move |tx| if recount { read::recount(tx) } else { read::progress(tx) }).await
    }

    async fn quarantined(&self) -> Result<Vec<Quarantined>> {
        self.read(read::quarantined).await
    }

    async fn retain(&self, run: &Run, retention: &Retention) -> Result<u64> {
        let retention = *retention;
        self.write_as(run, "the removal of old rows", move |tx| notes::retain(tx, &retention)).await
    }
}

#[async_trait]
impl AuditStore for SqliteStore {
    async fn append_audit(&self, run: &Run, entries: Vec<AuditEntry>, upto: u64) -> Result<u64> {
        self.write_as(run, "the audit log", move |tx| audit::append_audit(tx, &entries, upto)).await
    }

    async fn audit(&self, after_seq: Option<u64>, limit: u32) -> Result<Vec<AuditRow>> {
        self.read(move |tx| read::audit(tx, after_seq, limit)).await
    }
}

#[async_trait]
impl Outbox for SqliteStore {
    async fn enqueue(&self, run: &Run, announcement: &Announcement) -> Result<bool> {
        let announcement = announcement.clone();
        self.write_as(run, "an announcement", move |tx| outbox::put(tx, &announcement)).await
    }

    async fn outbox(&self, after: u64, limit: u32) -> Result<Vec<OutboxRow>> {
        self.read(move |tx| outbox::behind(tx, after, limit)).await
    }

    async fn hook(&self, name: &str, since_slot: u64) -> Result<HookState> {
        let known = name.to_owned();
        let mut known = self.read(move |tx| outbox::hooks(tx, Some(&known))).await?;
        if let Some(hook) = known.pop() {
            return Ok(hook);
        }
        let name = name.to_owned();
        self.write("a webhook", move |tx| outbox::hook(tx, &name, since_slot)).await
    }

    async fn hooks(&self) -> Result<Vec<HookState>> {
        self.read(|tx| outbox::hooks(tx, None)).await
    }

    async fn hook_sent(&self, name: &str, id: u64, sent: &Sent) -> Result<()> {
        let (name, sent) = (name.to_owned(), sent.clone());
        let job = move |tx: &Connection| outbox::sent(tx, &name, id, &sent);
        self.write("the position of a webhook", job).await
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        self.read(outbox::dead_letters).await
    }

    async fn forget_dead(&self, hook: &str, id: u64) -> Result<bool> {
        let hook = hook.to_owned();
        self.write("a dead letter", move |tx| outbox::forget_dead(tx, &hook, id)).await
    }
}

#[async_trait]
impl LocalLog for SqliteStore {
    async fn record_sent(&self, row: &SentRow) -> Result<()> {
        let row = row.clone();
        self.write("a sent transaction", move |tx| write::record_sent(tx, &row)).await
    }

    async fn sent(&self, limit: u32) -> Result<Vec<SentRow>> {
        self.read(move |tx| read::sent(tx, limit)).await
    }

    async fn claim_notice(&self, key: &str) -> Result<bool> {
        let key = key.to_owned();
        self.write("a notice", move |tx| write::claim_notice(tx, &key)).await
    }

    async fn log_op(&self, kind: &str, detail: &serde_json::Value) -> Result<()> {
        let (kind, detail) = (kind.to_owned(), detail.to_string());
        self.write("a note", move |tx| notes::log_op(tx, &kind, &detail)).await
    }

    async fn ops(&self, limit: u32) -> Result<Vec<OpRow>> {
        self.read(move |tx| notes::ops(tx, limit)).await
    }
}
