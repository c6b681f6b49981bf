//! Fresh stores for measurements: databases on the server in `CONTROL_ROOM_BENCH_POSTGRES`, and files in
//! a temporary folder.
use std::sync::Arc;

use anyhow::{Context as _, Result};
use indexer::{PostgresStore, SqliteStore, Store};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, raw_sql};
use tempfile::TempDir;

/// Environment variable with the server's address.
pub const POSTGRES: &str = "CONTROL_ROOM_BENCH_POSTGRES";

/// The location of a store.
pub enum StoreLocation {
    /// A file in a folder.
    Sqlite(TempDir),
    /// A database's address.
    Postgres(String),
}

impl StoreLocation {
    /// A new SQLite file.
    pub fn sqlite() -> Result<Self> {
        Ok(Self::Sqlite(tempfile::tempdir()?))
    }

    /// An empty database called `name`.
    pub async fn postgres(name: &str) -> Result<Self> {
        let server = std::env::var(POSTGRES).with_context(|| format!("{POSTGRES} is not set"))?;
        let mut admin = PgConnection::connect(&server).await?;
        for sql in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")] {
            raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await?;
        }
        let (server, _) = server.rsplit_once('/').context("the address names no database")?;
        Ok(Self::Postgres(format!("{server}/{name}")))
    }

    /// Its address or path.
    pub fn name(&self) -> String {
        match self {
            Self::Sqlite(folder) => folder.path().join("mirror.db").display().to_string(),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// The store there.
    pub async fn open(&self) -> Result<Arc<dyn Store>> {
        open(&self.name()).await
    }

    /// A separate connection.
    pub async fn sql(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.name()).await?)
    }
}

/// The store at an address or path.
pub async fn open(name: &str) -> Result<Arc<dyn Store>> {
    Ok(if name.starts_with("postgres://") {
        Arc::new(PostgresStore::connect(name).await?)
    } else {
        Arc::new(SqliteStore::open(name)?)
    })
}

/// The server's settings that affect speed, as `name=value`.
pub async fn settings(connection: &mut PgConnection) -> Result<String> {
    let mut out = vec![];
    for name in [
        "server_version",
        "fsync",
        "synchronous_commit",
        "full_page_writes",
        "wal_level",
        "shared_buffers",
        "max_wal_size",
    ] {
        let row = sqlx::query("SELECT current_setting($1)").bind(name).fetch_one(&mut *connection);
        let value: String = row.await?.try_get(0)?;
        out.push(format!("{name}={value}"));
    }
    Ok(out.join(" "))
}
