//! The multisig's store: a Postgres database that one indexer writes and many control rooms read.
//! Statements are checked at run time, so building needs no database.
pub mod admin;
mod audit;
mod close;
mod connect;
mod copy;
mod fault;
mod fill;
mod full_row;
mod lease;
mod live;
mod notes;
mod outbox;
mod read;
mod undo;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use solana_pubkey::Pubkey;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::mpsc;
use upgrade_manager::state::AccountVersion;

use self::{
    connect::{BULK_TIMEOUT, Connections, QUERY_TIMEOUT, within},
    fault::PostgresFault,
};
use super::{
    Announcement, Applied, Batch, Closing, DeadLetter, Fill, FullRow, HookState, LocalLog, Marks,
    MirrorState, MirrorStore, OpRow, Outbox, OutboxRow, ProgressRow, PubkeySet, RawRow,
    RecordQuery, Result, Retention, Row, Run, Sent, SentRow, StoreError, Undone, View,
};
use crate::{
    account::Quarantined,
    ops::redact::Parts,
    store::audit_log::{AuditEntry, AuditRow, AuditStore},
};

/// The mirror in a Postgres database.
pub struct PostgresStore {
    place: String,
    connections: Connections,
}

impl PostgresStore {
    /// Connects to the database at `url` and brings its schema up to date, unless this user may
    /// only read: then the schema must be up to date already.
    ///
    /// # Errors
    /// [`StoreError::Address`], [`StoreError::Unavailable`], [`StoreError::NewerSchema`],
    /// [`StoreError::NotAStore`].
    pub async fn connect(url: &str) -> Result<Self> {
        let (options, place) = options(url)?;
        let connections =
            Connections::open(options, &place).await.map_err(|fault| fault.at(&place, None))?;
        Ok(Self { place, connections })
    }

    fn at(&self, fault: PostgresFault) -> StoreError {
        fault.at(&self.place, None)
    }
}

/// The driver's options for `url`, and its host, port and database for messages: no user, no password.
fn options(url: &str) -> Result<(PgConnectOptions, String)> {
    let refused = |detail: String| StoreError::Address { detail };
    let parts = Parts::read(url).map_err(refused)?;
    if !parts.is_database() {
        return Err(refused("it does not begin with postgres://".to_owned()));
    }
    // The driver's message may quote a part of the address, such as the password, so it is dropped.
    let options: PgConnectOptions = url.parse().map_err(|_| {
        refused("the driver cannot read it, or one of its parameters behind the ?".to_owned())
    })?;
    let name = options.get_database().unwrap_or_default();
    let place = format!("{}:{}/{}", options.get_host(), options.get_port(), plain_name(name));
    Ok((options, place))
}

/// `name` if it looks like a database name. In a malformed address this position can hold a part of the
/// password, so anything else is shown as "…".
fn plain_name(name: &str) -> &str {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.chars().all(is_plain) { name } else { "…" }
}

/// Reads from one database snapshot, within the time limit.
macro_rules! read {
    ($self:ident, $limit:expr, |$tx:ident| $reads:expr) => {{
        let reading = async {
            let mut tx = $self.connections.reading($limit).await?;
            let $tx = tx.connection()?;
            let found = within($limit, $reads).await?;
            tx.roll_back().await?;
            Ok(found)
        };
        reading.await.map_err(|fault| $self.at(fault))
    }};
}

/// One write transaction within the time limit; `$what` names the written thing in error texts.
macro_rules! write {
    ($self:ident, $what:literal, $limit:expr, |$tx:ident| $writes:expr) => {{
        if $self.connections.read_only {
            return Err(StoreError::ReadOnly { place: $self.place.clone(), what: $what });
        }
        let writing = async {
            let mut tx = $self.connections.writing($limit).await?;
            let $tx = tx.connection()?;
            let done = within($limit, $writes).await?;
            tx.commit().await?;
            Ok::<_, PostgresFault>(done)
        };
        writing.await.map_err(|fault| fault.at(&$self.place, Some($what)))
    }};
}

#[async_trait]
impl MirrorStore for PostgresStore {
    async fn begin_run(
        &self,
        program_id: &Pubkey,
        genesis_hash: &[u8; 32],
        owner: &str,
    ) -> Result<Run> {
        write!(self, "the beginning of a run", QUERY_TIMEOUT, |tx| lease::begin(
            tx,
            program_id,
            genesis_hash,
            owner,
            &self.place
        ))
    }

    async fn keep(&self, run: &Run, marks: Marks) -> Result<()> {
        write!(self, "the lease", QUERY_TIMEOUT, |tx| lease::keep(tx, run, marks))
    }

    async fn end_run(&self, run: &Run) -> Result<()> {
        write!(self, "the end of a run", QUERY_TIMEOUT, |tx| lease::end(tx, run))
    }

    async fn state(&self) -> Result<MirrorState> {
        read!(self, QUERY_TIMEOUT, |tx| read::mirror_state(tx))
    }

    fn read_only(&self) -> bool {
        self.connections.read_only
    }

    async fn apply(&self, run: &Run, batch: Batch) -> Result<Applied> {
        write!(self, "a batch of accounts", QUERY_TIMEOUT, |tx| live::apply(tx, run, batch))
    }

    async fn fill(&self, run: &Run, rows: mpsc::Receiver<Fill>) -> Result<Option<u64>> {
        let what = "a first load";
        if self.connections.read_only {
            return Err(StoreError::ReadOnly { place: self.place.clone(), what });
        }
        let filling = async {
            // Its own connection, dropped at the end: the server rolls back whatever did not commit.
            let mut connection = self.connections.own().await?;
            fill::fill(&mut connection, run, rows).await
        };
        filling.await.map_err(|fault: PostgresFault| fault.at(&self.place, Some(what)))
    }

    async fn tombstone_missing(
        &self,
        run: &Run,
        slot: u64,
        present: Arc<PubkeySet>,
        gone: Arc<PubkeySet>,
    ) -> Result<Closing> {
        let what = "the end of a snapshot";
        if self.connections.read_only {
            return Err(StoreError::ReadOnly { place: self.place.clone(), what });
        }
        let writing = async {
            let mut tx = self.connections.writing(BULK_TIMEOUT).await?;
            let work = close::tombstone_missing(tx.connection()?, run, slot, (&present, &gone));
            let done = within(BULK_TIMEOUT, work).await?;
            match done {
                Closing::Closed(_) => tx.commit().await?,
                Closing::Unproved(_) => tx.roll_back().await?,
            }
            Ok::<_, PostgresFault>(done)
        };
        writing.await.map_err(|fault| fault.at(&self.place, Some(what)))
    }

    async fn undo_slots(&self, upto: u64) -> Result<Vec<u64>> {
        read!(self, QUERY_TIMEOUT, |tx| undo::slots(tx, upto))
    }

    async fn undo(&self, run: &Run, orphaned: &[u64]) -> Result<Undone> {
        write!(self, "the undoing of a reorg", BULK_TIMEOUT, |tx| undo::undo(tx, run, orphaned))
    }

    async fn view(&self) -> Result<View> {
        read!(self, QUERY_TIMEOUT, |tx| read::view(tx))
    }

    async fn account_versions(
        &self,
        program: &Pubkey,
        query: RecordQuery,
    ) -> Result<Vec<Row<AccountVersion>>> {
        read!(self, QUERY_TIMEOUT, |tx| read::account_versions(tx, program, &query))
    }

    async fn rows(&self, after: Option<Pubkey>, limit: u32) -> Result<Vec<RawRow>> {
        read!(self, QUERY_TIMEOUT, |tx| read::rows(tx, after, limit))
    }

    async fn full_rows(&self, after: Option<Pubkey>, limit: u32) -> Result<Vec<FullRow>> {
        read!(self, QUERY_TIMEOUT, |tx| full_row::rows(tx, after, limit))
    }

    async fn progress(&self, recount: bool) -> Result<BTreeMap<(Pubkey, Pubkey), ProgressRow>> {
        let limit = if recount { BULK_TIMEOUT } else { QUERY_TIMEOUT };
        read!(self, limit, |tx| read::progress(tx, recount))
    }

    async fn quarantined(&self) -> Result<Vec<Quarantined>> {
        read!(self, QUERY_TIMEOUT, |tx| read::quarantined(tx))
    }

    async fn retain(&self, run: &Run, retention: &Retention) -> Result<u64> {
        write!(self, "the removal of old rows", BULK_TIMEOUT, |tx| notes::retain(
            tx, run, retention
        ))
    }
}

#[async_trait]
impl AuditStore for PostgresStore {
    async fn append_audit(&self, run: &Run, entries: Vec<AuditEntry>, upto: u64) -> Result<u64> {
        write!(self, "the audit log", QUERY_TIMEOUT, |tx| audit::append(tx, run, &entries, upto))
    }

    async fn audit(&self, after_seq: Option<u64>, limit: u32) -> Result<Vec<AuditRow>> {
        read!(self, QUERY_TIMEOUT, |tx| read::audit(tx, after_seq, limit))
    }
}

#[async_trait]
impl Outbox for PostgresStore {
    async fn enqueue(&self, run: &Run, announcement: &Announcement) -> Result<bool> {
        write!(self, "an announcement", QUERY_TIMEOUT, |tx| outbox::enqueue(tx, run, announcement))
    }

    async fn outbox(&self, after: u64, limit: u32) -> Result<Vec<OutboxRow>> {
        read!(self, QUERY_TIMEOUT, |tx| outbox::behind(tx, after, limit))
    }

    async fn hook(&self, name: &str, since_slot: u64) -> Result<HookState> {
        write!(self, "a webhook", QUERY_TIMEOUT, |tx| outbox::hook(tx, name, since_slot))
    }

    async fn hooks(&self) -> Result<Vec<HookState>> {
        read!(self, QUERY_TIMEOUT, |tx| outbox::hooks(tx, None))
    }

    async fn hook_sent(&self, name: &str, id: u64, sent: &Sent) -> Result<()> {
        write!(self, "the position of a webhook", QUERY_TIMEOUT, |tx| outbox::sent(
            tx, name, id, sent
        ))
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        read!(self, QUERY_TIMEOUT, |tx| outbox::dead_letters(tx))
    }

    async fn forget_dead(&self, hook: &str, id: u64) -> Result<bool> {
        write!(self, "a dead letter", QUERY_TIMEOUT, |tx| outbox::forget_dead(tx, hook, id))
    }
}

#[async_trait]
impl LocalLog for PostgresStore {
    async fn record_sent(&self, row: &SentRow) -> Result<()> {
        write!(self, "a sent transaction", QUERY_TIMEOUT, |tx| notes::record_sent(tx, row))
    }

    async fn sent(&self, limit: u32) -> Result<Vec<SentRow>> {
        read!(self, QUERY_TIMEOUT, |tx| read::sent(tx, limit))
    }

    async fn claim_notice(&self, key: &str) -> Result<bool> {
        write!(self, "a notice", QUERY_TIMEOUT, |tx| notes::claim_notice(tx, key))
    }

    async fn log_op(&self, kind: &str, detail: &serde_json::Value) -> Result<()> {
        let detail = detail.to_string();
        write!(self, "a note", QUERY_TIMEOUT, |tx| notes::log_op(tx, kind, &detail))
    }

    async fn ops(&self, limit: u32) -> Result<Vec<OpRow>> {
        read!(self, QUERY_TIMEOUT, |tx| notes::ops(tx, limit))
    }
}
