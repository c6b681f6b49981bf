//! Connection pools, their time limits, and transactions. A connection whose transaction did not end
//! properly is closed, never reused. Opening a store also migrates its schema.
use std::time::Duration;

use sqlx::{
    Executor as _, PgConnection, PgPool, Postgres, Row as _,
    migrate::{Migrate, Migrator},
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::fault::PostgresFault;
use crate::store::{SCHEMA, StoreError};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");
/// The table in which sqlx records the applied migrations.
const MIGRATIONS_TABLE: &str = "_sqlx_migrations";

/// How long to wait for a connection.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an ordinary transaction may take before the server counts as gone.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for a transaction over the whole mirror.
pub const BULK_TIMEOUT: Duration = Duration::from_secs(600);
/// Connections that read. The writer has its own, so that slow readers never block it.
const MAX_READERS: u32 = 3;

/// Session settings of every connection. The server's statement timeout is shorter than
/// [`QUERY_TIMEOUT`], so the server cancels first and says why; the keepalives make it release the
/// locks of a client that vanished.
const SETTINGS: &str = "SET statement_timeout = '9s'; SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '30s'; SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET tcp_user_timeout = '20s'";
/// Transaction settings of bulk work, whose statements outlast the session's timeout.
const BULK_SETTINGS: &str = "SET LOCAL statement_timeout = '600s'";

/// The connections of one store.
pub struct Connections {
    options: PgConnectOptions,
    readers: PgPool,
    writer: PgPool,
    pub read_only: bool,
}

impl Connections {
    /// Connects, and brings the schema up to date unless this user may only read.
    pub async fn open(options: PgConnectOptions, place: &str) -> Result<Self, PostgresFault> {
        let options = options.application_name("control-room");
        let readers = pool(&options, MAX_READERS).await?;
        let mut connection = readers.acquire().await?;
        let access = within(QUERY_TIMEOUT, access(&mut connection)).await?;
        match access {
            Access::Writer => within(BULK_TIMEOUT, migrate(&mut connection, place)).await?,
            access => within(QUERY_TIMEOUT, is_current(&mut connection, place, access)).await?,
        }
        drop(connection);
        let read_only = access == Access::Reader;
        let writer = if read_only { readers.clone() } else { pool(&options, 1).await? };
        Ok(Self { options, readers, writer, read_only })
    }

    /// A read-only transaction whose statements all see the same state.
    pub async fn reading(&self, limit: Duration) -> Result<Tx, PostgresFault> {
        let how = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Tx::begin(self.readers.acquire().await?, how, limit).await
    }

    /// A write transaction.
    pub async fn writing(&self, limit: Duration) -> Result<Tx, PostgresFault> {
        Tx::begin(self.writer.acquire().await?, "BEGIN", limit).await
    }

    /// A connection outside the pools, for the first load: it must not occupy the only writer.
    pub async fn own(&self) -> Result<PgConnection, PostgresFault> {
        use sqlx::ConnectOptions as _;
        within(ACQUIRE_TIMEOUT, async {
            let mut connection = self.options.connect().await?;
            connection.execute(SETTINGS).await?;
            Ok(connection)
        })
        .await
    }
}

/// A transaction on a pooled connection. Dropped before its end, it closes the connection: answers to
/// an abandoned statement may still be on the wire, and the next user would read them.
pub struct Tx {
    connection: Option<PoolConnection<Postgres>>,
    /// How long the work may take.
    pub limit: Duration,
}

impl Tx {
    async fn begin(
        connection: PoolConnection<Postgres>,
        how: &'static str,
        limit: Duration,
    ) -> Result<Self, PostgresFault> {
        let mut tx = Self { connection: Some(connection), limit };
        within(QUERY_TIMEOUT, async {
            let connection = tx.connection()?;
            connection.execute(how).await?;
            if limit > QUERY_TIMEOUT {
                connection.execute(BULK_SETTINGS).await?;
            }
            Ok(())
        })
        .await?;
        Ok(tx)
    }

    /// The connection to run statements on.
    pub fn connection(&mut self) -> Result<&mut PgConnection, PostgresFault> {
        // Only `end` takes the connection out, and `end` consumes `self`.
        let missing = || PostgresFault::Corrupt("a transaction without a connection".to_owned());
        self.connection.as_deref_mut().ok_or_else(missing)
    }

    pub async fn commit(self) -> Result<(), PostgresFault> {
        self.end("COMMIT").await
    }

    pub async fn roll_back(self) -> Result<(), PostgresFault> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), PostgresFault> {
        let limit = self.limit;
        let connection = self.connection()?;
        within(limit, async { Ok(connection.execute(how).await?) }).await?;
        drop(self.connection.take());
        Ok(())
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if let Some(mut left) = self.connection.take() {
            left.close_on_drop();
        }
    }
}

/// Runs `work`; [`PostgresFault::Silent`] when it takes longer than `limit`.
pub async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, PostgresFault>>,
) -> Result<T, PostgresFault> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(PostgresFault::Silent(limit)))
}

async fn pool(options: &PgConnectOptions, size: u32) -> Result<PgPool, PostgresFault> {
    let made = PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(SETTINGS).await.map(|_| ()) })
        })
        .connect_with(options.clone());
    Ok(made.await?)
}

/// What this user may do with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Writer,
    /// May write, but the server refuses writes now: it is a standby server, or the server or this
    /// database is set to read-only. That can change while the indexer runs.
    Paused,
    /// Read-only by its grants, or by a setting of the user itself.
    Reader,
}

async fn access(connection: &mut PgConnection) -> Result<Access, PostgresFault> {
    let row = sqlx::query(
        "SELECT NOT coalesce(has_table_privilege(to_regclass('accounts'), 'INSERT'), true)
             OR EXISTS (SELECT 1 FROM pg_settings
                 WHERE name = 'default_transaction_read_only' AND setting = 'on'
                     AND source IN ('user', 'database user', 'client')),
             pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'",
    )
    .fetch_one(connection)
    .await?;
    Ok(match (row.try_get(0)?, row.try_get(1)?) {
        (true, _) => Access::Reader,
        (false, true) => Access::Paused,
        (false, false) => Access::Writer,
    })
}

/// Number and checksum of each applied migration; [`None`] in an empty database.
pub async fn made(
    connection: &mut PgConnection,
) -> Result<Option<Vec<(i64, Vec<u8>)>>, PostgresFault> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(MIGRATIONS_TABLE)
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(None);
    }
    let made = connection
        .list_applied_migrations(MIGRATIONS_TABLE)
        .await
        .map_err(PostgresFault::from_migration)?;
    Ok(Some(made.into_iter().map(|m| (m.version, m.checksum.into_owned())).collect()))
}

fn newest(made: &[(i64, Vec<u8>)], place: &str) -> Result<i64, PostgresFault> {
    let found = made.iter().map(|(number, _)| *number).max().unwrap_or(0);
    if found > SCHEMA {
        let place = place.to_owned();
        return Err(StoreError::NewerSchema { place, found, known: SCHEMA }.into());
    }
    Ok(found)
}

/// Refuses a schema that this build cannot read and that this connection may not migrate.
async fn is_current(
    connection: &mut PgConnection,
    place: &str,
    access: Access,
) -> Result<(), PostgresFault> {
    let found = match made(connection).await? {
        Some(made) => newest(&made, place)?,
        None => 0,
    };
    if found < SCHEMA && access == Access::Paused {
        let detail = format!(
            "its schema has number {found} and this build needs {SCHEMA}, but the server is set to reading; start again when it takes writes"
        );
        return Err(
            StoreError::Paused { place: place.to_owned(), what: "the schema", detail }.into()
        );
    }
    if found < SCHEMA {
        return Err(PostgresFault::Schema(format!(
            "this user may only read, and the number is {found}; let an indexer of this build that may write open it once"
        )));
    }
    Ok(())
}

async fn migrate(connection: &mut PgConnection, place: &str) -> Result<(), PostgresFault> {
    if let Some(made) = made(connection).await? {
        newest(&made, place)?;
        let ours = MIGRATIONS.iter().map(|m| (m.version, m.checksum.to_vec()));
        // A user without rights on the schema can still write rows, so an up-to-date schema is not
        // touched.
        if ours.eq(made) {
            return Ok(());
        }
    }
    connection.execute("SET statement_timeout = 0").await?;
    let done = MIGRATIONS.run(&mut *connection).await.map_err(PostgresFault::from_migration);
    connection.execute(SETTINGS).await?;
    done
}
