//! The team's store: a Postgres database that one indexer writes and many control rooms read.
//! Statements are checked at run time, so building needs no database.
mod fault;
mod kept;
mod outbox;
mod read;
mod write;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use solana_pubkey::Pubkey;
use sqlx::{
    PgPool, Postgres, Transaction,
    migrate::{Migrate, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use upgrade_manager::state::AccountVersion;

use self::fault::Fault;
use super::{
    Announcement, Applied, Batch, Closing, DeadLetter, HookState, KeptRow, MirrorState, OutboxRow,
    Present, ProgressRow, Quarantined, RawRow, RecordQuery, Result, Row, Run, SCHEMA, Sent,
    SentRow, Store, StoreError, View,
};
use crate::audit::{AuditEntry, AuditRow};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");
/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections of one process.
const CONNECTIONS: u32 = 4;

/// The mirror in a Postgres database.
pub struct PostgresStore {
    place: String,
    pool: PgPool,
}

impl PostgresStore {
    /// Connects to the database at `url` and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Address`], [`StoreError::Unavailable`], [`StoreError::NewerSchema`].
    pub async fn connect(url: &str) -> Result<Self> {
        // The driver's message could repeat the address with its password: only the kind is told.
        let options: PgConnectOptions = url.parse().map_err(|_| StoreError::Address {
            detail: "it is not a postgres:// address".to_owned(),
        })?;
        let place = format!(
            "{}:{}/{}",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or_default()
        );
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options.application_name("control-room"))
            .await
            .map_err(|e| Fault::from(e).at(&place))?;
        let store = Self { place, pool };
        store.migrate().await.map_err(|fault| fault.at(&store.place))?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<(), Fault> {
        let mut connection = self.pool.acquire().await?;
        let known: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(&mut *connection)
            .await?;
        if known {
            let applied = connection
                .list_applied_migrations("_sqlx_migrations")
                .await
                .map_err(Fault::from_migration)?;
            let found = applied.iter().map(|m| m.version).max().unwrap_or(0);
            if found > SCHEMA {
                let place = self.place.clone();
                return Err(StoreError::NewerSchema { place, found, known: SCHEMA }.into());
            }
        }
        MIGRATIONS.run(&mut *connection).await.map_err(Fault::from_migration)
    }

    /// Several reads that belong together.
    async fn reading(&self) -> Result<Transaction<'static, Postgres>> {
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    async fn writing(&self) -> Result<Transaction<'static, Postgres>> {
        self.begin("BEGIN").await
    }

    async fn begin(&self, how: &'static str) -> Result<Transaction<'static, Postgres>> {
        self.pool.begin_with(how).await.map_err(|e| self.at(e.into()))
    }

    async fn commit(&self, tx: Transaction<'static, Postgres>) -> Result<()> {
        tx.commit().await.map_err(|e| self.at(e.into()))
    }

    fn at(&self, fault: Fault) -> StoreError {
        fault.at(&self.place)
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn begin_run(
        &self,
        program_id: &Pubkey,
        genesis_hash: &[u8; 32],
        _owner: &str,
    ) -> Result<Run> {
        let mut tx = self.writing().await?;
        let run = write::begin_run(&mut tx, program_id, genesis_hash, &self.place)
            .await
            .map_err(|f| self.at(f))?;
        self.commit(tx).await?;
        Ok(run)
    }

    async fn state(&self) -> Result<MirrorState> {
        let mut tx = self.reading().await?;
        read::mirror_state(&mut tx).await.map_err(|f| self.at(f))
    }

    fn read_only(&self) -> bool {
        false
    }

    async fn apply(&self, _run: &Run, batch: Batch) -> Result<Applied> {
        let mut tx = self.writing().await?;
        let applied = write::apply(&mut tx, batch).await.map_err(|f| self.at(f))?;
        self.commit(tx).await?;
        Ok(applied)
    }

    async fn tombstone_missing(
        &self,
        _run: &Run,
        slot: u64,
        present: Arc<Present>,
        trusted: bool,
    ) -> Result<Closing> {
        let mut tx = self.writing().await?;
        let done = write::tombstone_missing(&mut tx, slot, &present, trusted)
            .await
            .map_err(|f| self.at(f))?;
        self.commit(tx).await?;
        Ok(done)
    }

    async fn append_audit(&self, _run: &Run, entries: Vec<AuditEntry>, upto: u64) -> Result<u64> {
        let mut tx = self.writing().await?;
        let added = write::append_audit(&mut tx, &entries, upto).await.map_err(|f| self.at(f))?;
        self.commit(tx).await?;
        Ok(added)
    }

    async fn view(&self) -> Result<View> {
        let mut tx = self.reading().await?;
        read::view(&mut tx).await.map_err(|f| self.at(f))
    }

    async fn account_versions(
        &self,
        program: &Pubkey,
        query: RecordQuery,
    ) -> Result<Vec<Row<AccountVersion>>> {
        let mut tx = self.reading().await?;
        read::account_versions(&mut tx, program, &query).await.map_err(|f| self.at(f))
    }

    async fn rows(&self, after: Option<Pubkey>, limit: u32) -> Result<Vec<RawRow>> {
        let mut tx = self.reading().await?;
        read::rows(&mut tx, after, limit).await.map_err(|f| self.at(f))
    }

    async fn kept_rows(&self, after: Option<Pubkey>, limit: u32) -> Result<Vec<KeptRow>> {
        let mut tx = self.reading().await?;
        kept::rows(&mut tx, after, limit).await.map_err(|f| self.at(f))
    }

    async fn progress(&self, recount: bool) -> Result<BTreeMap<(Pubkey, Pubkey), ProgressRow>> {
        let mut tx = self.reading().await?;
        read::progress(&mut tx, recount).await.map_err(|f| self.at(f))
    }

    async fn quarantined(&self) -> Result<Vec<Quarantined>> {
        let mut tx = self.reading().await?;
        read::quarantined(&mut tx).await.map_err(|f| self.at(f))
    }

    async fn audit(&self, after_seq: Option<u64>, limit: u32) -> Result<Vec<AuditRow>> {
        let mut tx = self.reading().await?;
        read::audit(&mut tx, after_seq, limit).await.map_err(|f| self.at(f))
    }

    async fn record_sent(&self, row: &SentRow) -> Result<()> {
        let mut tx = self.writing().await?;
        write::record_sent(&mut tx, row).await.map_err(|f| self.at(f))?;
        self.commit(tx).await
    }

    async fn sent(&self, limit: u32) -> Result<Vec<SentRow>> {
        let mut tx = self.reading().await?;
        read::sent(&mut tx, limit).await.map_err(|f| self.at(f))
    }

    async fn claim_notice(&self, key: &str) -> Result<bool> {
        let mut tx = self.writing().await?;
        let new = write::claim_notice(&mut tx, key).await.map_err(|f| self.at(f))?;
        self.commit(tx).await?;
        Ok(new)
    }

    async fn enqueue(&self, _run: &Run, announcement: &Announcement) -> Result<bool> {
        let mut tx = self.writing().await?;
        let new = write::enqueue(&mut tx, announcement).await.map_err(|f| self.at(f))?;
        self.commit(tx).await?;
        Ok(new)
    }

    async fn outbox(&self, after: u64, limit: u32) -> Result<Vec<OutboxRow>> {
        let mut tx = self.reading().await?;
        outbox::behind(&mut tx, after, limit).await.map_err(|f| self.at(f))
    }

    async fn hook(&self, name: &str, since_slot: u64) -> Result<HookState> {
        let mut tx = self.writing().await?;
        let state = outbox::hook(&mut tx, name, since_slot).await.map_err(|f| self.at(f))?;
        self.commit(tx).await?;
        Ok(state)
    }

    async fn hooks(&self) -> Result<Vec<HookState>> {
        let mut tx = self.reading().await?;
        outbox::hooks(&mut tx, None).await.map_err(|f| self.at(f))
    }

    async fn hook_sent(&self, name: &str, id: u64, sent: &Sent) -> Result<()> {
        let mut tx = self.writing().await?;
        outbox::sent(&mut tx, name, id, sent).await.map_err(|f| self.at(f))?;
        self.commit(tx).await
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        let mut tx = self.reading().await?;
        outbox::dead_letters(&mut tx).await.map_err(|f| self.at(f))
    }

    async fn forget_dead(&self, hook: &str, id: u64) -> Result<bool> {
        let mut tx = self.writing().await?;
        let gone = outbox::forget_dead(&mut tx, hook, id).await.map_err(|f| self.at(f))?;
        self.commit(tx).await?;
        Ok(gone)
    }
}
