//! The embedded store: one file, one thread that writes, one that reads. It survives kill -9 at any
//! moment: every change is one `BEGIN IMMEDIATE` transaction under a write-ahead log.
mod kept;
mod outbox;
mod read;
mod worker;
mod write;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use rusqlite_migration::{M, Migrations};
use solana_pubkey::Pubkey;
use upgrade_manager::state::AccountVersion;

use self::worker::{Fault, Worker};
use super::{
    Announcement, Applied, Batch, Closing, DeadLetter, HookState, KeptRow, MirrorState, OutboxRow,
    Present, ProgressRow, Quarantined, RawRow, RecordQuery, Result, Row, Run, SCHEMA, Sent,
    SentRow, Store, StoreError, View,
};
use crate::audit::{AuditEntry, AuditRow};

const STEPS: &[M<'static>] = &[
    M::up(include_str!("../../../../migrations/sqlite/0001_mirror.sql")),
    M::up(include_str!("../../../../migrations/sqlite/0002_governance.sql")),
    M::up(include_str!("../../../../migrations/sqlite/0003_certainty.sql")),
];
const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);
/// How long a writer waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(5);

/// How long to wait before a file that another process is making is looked at again.
const AGAIN: Duration = Duration::from_millis(20);

/// Whether `e` can come from another process that makes the same file right now.
fn is_of_the_moment(e: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseBusy, DatabaseLocked, SchemaChanged, Unknown};
    // Unknown is SQLite's plain "error", here for a table that is there by now.
    matches!(e.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | SchemaChanged | Unknown))
}

/// The mirror in a SQLite file.
pub struct SqliteStore {
    place: String,
    writer: Worker,
    /// `None` in memory, where a second connection would see another database.
    reader: Option<Worker>,
}

impl SqliteStore {
    /// Opens the store at `path`, makes it and its folder where they are missing, and brings its
    /// schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::NotAStore`], [`StoreError::NewerSchema`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let place = path.display().to_string();
        let unavailable = |detail: String| StoreError::Unavailable { place: place.clone(), detail };
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|e| unavailable(format!("{}: {e}", folder.display())))?;
        }
        let connection = Connection::open(path).map_err(|e| Fault::from(e).at(&place))?;
        let writer = Self::prepared(connection, &place)?;
        let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .and_then(|reader| {
                reader.busy_timeout(BUSY)?;
                Ok(reader)
            })
            .map_err(|e| Fault::from(e).at(&place))?;
        let reader = Worker::start("store-reader", reader, &place)?;
        Ok(Self { writer, reader: Some(reader), place })
    }

    /// A store that is gone with the process.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn open_in_memory() -> Result<Self> {
        let place = "memory".to_owned();
        let connection = Connection::open_in_memory().map_err(|e| Fault::from(e).at(&place))?;
        Ok(Self { writer: Self::prepared(connection, &place)?, reader: None, place })
    }

    fn prepared(mut connection: Connection, place: &str) -> Result<Worker> {
        Self::prepare(&mut connection, place).map_err(|fault| fault.at(place))?;
        Worker::start("store-writer", connection, place)
    }

    /// Two processes may make the same file at the same time. SQLite does not wait for a change of
    /// the journal mode, and the one that comes second finds half of its work done: it tries again.
    fn prepare(connection: &mut Connection, place: &str) -> Result<(), Fault> {
        connection.busy_timeout(BUSY)?;
        let end = Instant::now() + BUSY;
        loop {
            match Self::bring_up_to_date(connection, place) {
                Err(Fault::Sql(e)) if is_of_the_moment(&e) && Instant::now() < end => {
                    std::thread::sleep(AGAIN);
                }
                done => return done,
            }
        }
    }

    fn bring_up_to_date(connection: &mut Connection, place: &str) -> Result<(), Fault> {
        // One reading, or another process's tables could be seen without their number.
        let (found, tables): (i64, i64) = connection.query_row(
            "SELECT (SELECT user_version FROM pragma_user_version),
                 (SELECT count(*) FROM sqlite_schema)",
            [],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )?;
        if found > SCHEMA {
            let place = place.to_owned();
            return Err(StoreError::NewerSchema { place, found, known: SCHEMA }.into());
        }
        if found == 0 && tables > 0 {
            let detail = "it holds tables of another program".to_owned();
            return Err(StoreError::NotAStore { place: place.to_owned(), detail }.into());
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        connection.set_prepared_statement_cache_capacity(64);
        MIGRATIONS.to_latest(connection).map_err(|e| match e {
            rusqlite_migration::Error::RusqliteError { err, .. } => Fault::Sql(err),
            other => Fault::Corrupt(format!("its schema could not be brought up to date: {other}")),
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let worker = self.reader.as_ref().unwrap_or(&self.writer);
        worker
            .call(move |connection| {
                // One transaction, so that rows, counters and revision belong together.
                let tx = connection.transaction()?;
                job(&tx)
            })
            .await
    }

    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        self.writer
            .call(move |connection| {
                let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let done = job(&tx)?;
                tx.commit()?;
                Ok(done)
            })
            .await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn begin_run(
        &self,
        program_id: &Pubkey,
        genesis_hash: &[u8; 32],
        _owner: &str,
    ) -> Result<Run> {
        let (program_id, genesis, place) = (*program_id, *genesis_hash, self.place.clone());
        self.write(move |tx| write::begin_run(tx, &program_id, &genesis, &place)).await
    }

    async fn state(&self) -> Result<MirrorState> {
        self.read(read::state).await
    }

    fn read_only(&self) -> bool {
        false
    }

    async fn apply(&self, _run: &Run, batch: Batch) -> Result<Applied> {
        self.write(move |tx| write::apply(tx, batch)).await
    }

    async fn tombstone_missing(
        &self,
        _run: &Run,
        slot: u64,
        present: Arc<Present>,
        trusted: bool,
    ) -> Result<Closing> {
        self.write(move |tx| write::tombstone_missing(tx, slot, &present, trusted)).await
    }

    async fn append_audit(&self, _run: &Run, entries: Vec<AuditEntry>, upto: u64) -> Result<u64> {
        self.write(move |tx| write::append_audit(tx, &entries, upto)).await
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

    async fn kept_rows(&self, after: Option<Pubkey>, limit: u32) -> Result<Vec<KeptRow>> {
        self.read(move |tx| kept::rows(tx, after, limit)).await
    }

    async fn progress(&self, recount: bool) -> Result<BTreeMap<(Pubkey, Pubkey), ProgressRow>> {
        self.read(move |tx| if recount { read::recount(tx) } else { read::progress(tx) }).await
    }

    async fn quarantined(&self) -> Result<Vec<Quarantined>> {
        self.read(read::quarantined).await
    }

    async fn audit(&self, after_seq: Option<u64>, limit: u32) -> Result<Vec<AuditRow>> {
        self.read(move |tx| read::audit(tx, after_seq, limit)).await
    }

    async fn record_sent(&self, row: &SentRow) -> Result<()> {
        let row = row.clone();
        self.write(move |tx| write::record_sent(tx, &row)).await
    }

    async fn sent(&self, limit: u32) -> Result<Vec<SentRow>> {
        self.read(move |tx| read::sent(tx, limit)).await
    }

    async fn claim_notice(&self, key: &str) -> Result<bool> {
        let key = key.to_owned();
        self.write(move |tx| write::claim_notice(tx, &key)).await
    }

    async fn enqueue(&self, _run: &Run, announcement: &Announcement) -> Result<bool> {
        let said = announcement.clone();
        self.write(move |tx| outbox::put(tx, &said)).await
    }

    async fn outbox(&self, after: u64, limit: u32) -> Result<Vec<OutboxRow>> {
        self.read(move |tx| outbox::behind(tx, after, limit)).await
    }

    async fn hook(&self, name: &str, since_slot: u64) -> Result<HookState> {
        let name = name.to_owned();
        self.write(move |tx| outbox::hook(tx, &name, since_slot)).await
    }

    async fn hooks(&self) -> Result<Vec<HookState>> {
        self.read(|tx| outbox::hooks(tx, None)).await
    }

    async fn hook_sent(&self, name: &str, id: u64, sent: &Sent) -> Result<()> {
        let (name, sent) = (name.to_owned(), sent.clone());
        self.write(move |tx| outbox::sent(tx, &name, id, &sent)).await
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        self.read(outbox::dead_letters).await
    }

    async fn forget_dead(&self, hook: &str, id: u64) -> Result<bool> {
        let hook = hook.to_owned();
        self.write(move |tx| outbox::forget_dead(tx, &hook, id)).await
    }
}
