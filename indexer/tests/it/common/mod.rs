//! Places for test stores, and a macro that runs a test on both stores.
pub mod fake;
pub mod fixtures;
pub mod mirror;
pub mod past;

use std::{
    io::Write,
    sync::{
        Arc, Once,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use indexer::{PostgresStore, SqliteStore, Store};
use sqlx::{Connection, PgConnection, raw_sql};
use tempfile::TempDir;

/// Environment variable with the address of the Postgres server for tests.
pub const POSTGRES: &str = "CONTROL_ROOM_TEST_POSTGRES";

/// The location of a store, which can be opened repeatedly.
pub enum Place {
    Sqlite(TempDir),
    Postgres { admin: String, name: String },
}

impl Place {
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    /// A fresh database; [`None`], with a message, where there is no server.
    pub async fn postgres() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Ok(admin) = std::env::var(POSTGRES) else {
            // Written directly, because the test harness hides the output of passing tests.
            static PRINTED: Once = Once::new();
            PRINTED.call_once(|| {
                let line =
                    format!("\nNOT RUN: the Postgres half of these tests; set {POSTGRES}.\n");
                std::io::stderr().write_all(line.as_bytes()).unwrap();
            });
            return None;
        };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("indexer_{}_{number}", std::process::id());
        let place = Self::Postgres { admin, name };
        place.admin(&format!("CREATE DATABASE {}", place.name())).await;
        Some(place)
    }

    fn name(&self) -> &str {
        match self {
            Self::Sqlite(_) => "mirror.db",
            Self::Postgres { name, .. } => name,
        }
    }

    pub fn path(&self) -> std::path::PathBuf {
        match self {
            Self::Sqlite(dir) => dir.path().join(self.name()),
            Self::Postgres { .. } => panic!("a Postgres store has no path"),
        }
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(_) => panic!("a SQLite store has no address"),
            Self::Postgres { admin, name } => {
                let (server, _) = admin.rsplit_once('/').unwrap();
                format!("{server}/{name}")
            }
        }
    }

    async fn admin(&self, sql: &str) {
        self.admin_all(&[sql]).await;
    }

    /// Executes the statements one by one, each in its own transaction.
    async fn admin_all(&self, statements: &[&str]) {
        let Self::Postgres { admin, .. } = self else { return };
        let mut connection = PgConnection::connect(admin).await.unwrap();
        for sql in statements {
            raw_sql(sqlx::AssertSqlSafe(*sql)).execute(&mut connection).await.unwrap();
        }
    }

    pub async fn open(&self) -> Arc<dyn Store> {
        self.try_open().await.unwrap()
    }

    pub async fn try_open(&self) -> indexer::store::Result<Arc<dyn Store>> {
        Ok(match self {
            Self::Sqlite(_) => Arc::new(SqliteStore::open(self.path())?),
            Self::Postgres { .. } => Arc::new(PostgresStore::connect(&self.url()).await?),
        })
    }

    /// Runs `sql` on a separate connection, unknown to the store.
    pub async fn sql(&self, sql: &str) -> Result<(), String> {
        match self {
            Self::Sqlite(_) => {
                let connection = rusqlite::Connection::open(self.path()).unwrap();
                connection.busy_timeout(Duration::from_secs(5)).unwrap();
                connection.execute_batch(sql).map_err(|e| e.to_string())
            }
            Self::Postgres { .. } => {
                let mut connection = PgConnection::connect(&self.url()).await.unwrap();
                let done = raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await;
                done.map(|_| ()).map_err(|e| e.to_string())
            }
        }
    }

    /// Allows or refuses writes to the database, and ends every connection to it, as a failover does.
    pub async fn takes_writes(&self, takes: bool) {
        let name = self.name();
        let set = if takes { "RESET" } else { "SET" };
        let value = if takes { "" } else { " = on" };
        let alter = format!("ALTER DATABASE {name} {set} default_transaction_read_only{value}");
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname";
        let end = format!("{end} = '{name}' AND pid <> pg_backend_pid()");
        self.admin_all(&[&alter, &end]).await;
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// Drops the database; the folder of a SQLite store removes itself.
    pub async fn remove(self) {
        self.admin(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name())).await;
    }
}

/// Defines each test once per store.
#[macro_export]
macro_rules! on_both_stores {
    ($($(#[$meta:meta])* async fn $name:ident($place:ident) $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "not every test needs all of its module")]
            use super::*;
            use $crate::common::Place;

            async fn body($place: &Place) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                body(&Place::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let Some(place) = Place::postgres().await else { return };
                body(&place).await;
                place.remove().await;
            }
        }
    )*};
}

/// How long a test waits for a condition. Only a failing test takes that long; a mirror that was
/// rate-limited can pause for a minute.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(180);

/// Waits until `done`; panics with `what` after [`TEST_TIMEOUT`].
pub async fn until<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    let end = tokio::time::Instant::now() + TEST_TIMEOUT;
    while !done().await {
        assert!(tokio::time::Instant::now() < end, "did not happen in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Factor for the number of property test cases.
pub fn scale() -> u32 {
    std::env::var("CONTROL_ROOM_TEST_SCALE").ok().and_then(|n| n.parse().ok()).unwrap_or(1).max(1)
}
