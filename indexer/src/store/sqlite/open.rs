//! Opens the file for writing and migrates its schema, or opens it read-only where this user may not
//! write.
use std::{
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    trace::{TraceEvent, TraceEventCodes},
};
use rusqlite_migration::{M, Migrations};

use super::{worker::SqliteFault, write::CACHE_KIB};
use crate::store::{Result, SCHEMA, StoreError};

const STEPS: &[M<'static>] = &[
    M::up(include_str!("../../../../migrations/sqlite/0001_mirror.sql")),
    M::up(include_str!("../../../../migrations/sqlite/0002_governance.sql")),
    M::up(include_str!("../../../../migrations/sqlite/0003_certainty.sql")),
];
const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);
/// How long a writer waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Wait between two attempts while another process creates the same file.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Whether `e` can come from another process that creates the same file at this moment.
fn is_of_the_moment(e: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseBusy, DatabaseLocked, SchemaChanged, Unknown};
    // Unknown is SQLite's generic error: here, a table that the other process has created by now.
    matches!(e.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | SchemaChanged | Unknown))
}

/// Called before each statement of the writer.
pub type Observer = fn(TraceEvent<'_>);

/// Opens `path` for writing; [`None`] when it exists and this user may not write it.
pub fn writing(path: &Path, place: &str, observer: Option<Observer>) -> Result<Option<Connection>> {
    let unavailable = |detail: String| StoreError::Unavailable { place: place.to_owned(), detail };
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|e| unavailable(format!("{}: {e}", folder.display())))?;
    }
    let there = path.exists();
    let opened = Connection::open(path).map_err(SqliteFault::from).and_then(|mut connection| {
        if connection.is_readonly("main")? {
            return Ok(None);
        }
        prepare(&mut connection, place)?;
        Ok(Some(connection))
    });
    match opened {
        Err(SqliteFault::Sql(e)) if there && is_denied(&e) => Ok(None),
        Err(fault) => Err(fault.at(place)),
        Ok(None) => Ok(None),
        Ok(Some(connection)) => {
            if observer.is_some() {
                connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, observer);
            }
            Ok(Some(connection))
        }
    }
}

/// Opens `path` for reading.
pub fn reading(path: &Path, place: &str) -> Result<Connection> {
    let open = || {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let found = schema(&connection, place)?;
        if found < SCHEMA {
            let detail = format!(
                "it has schema {found}, and this build reads schema {SCHEMA}: open it once as a \
                 user who may write it"
            );
            return Err(StoreError::Unavailable { place: place.to_owned(), detail }.into());
        }
        Ok(connection)
    };
    open().map_err(|fault: SqliteFault| match fault {
        // Without a writer there is no write-ahead log file, and SQLite would have to create it.
        SqliteFault::Sql(e)
            if e.sqlite_error_code() == Some(ErrorCode::CannotOpen) && path.exists() =>
        {
            let detail = format!(
                "{e}. Who may not write its folder can read it only while an indexer runs on it"
            );
            StoreError::Unavailable { place: place.to_owned(), detail }
        }
        other => other.at(place),
    })
}

/// Opens an in-memory database.
pub fn memory(place: &str) -> Result<Connection> {
    let open = || {
        let mut connection = Connection::open_in_memory()?;
        prepare(&mut connection, place)?;
        Ok(connection)
    };
    open().map_err(|fault: SqliteFault| fault.at(place))
}

fn is_denied(e: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    matches!(e.sqlite_error_code(), Some(CannotOpen | PermissionDenied | ReadOnly))
}

/// Migrates, and tries again while another process creates the same file: SQLite does not wait for a
/// change of the journal mode, and the second process can find a half-made schema.
fn prepare(connection: &mut Connection, place: &str) -> Result<(), SqliteFault> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let end = Instant::now() + BUSY_TIMEOUT;
    loop {
        match bring_up_to_date(connection, place) {
            Err(SqliteFault::Sql(e)) if is_of_the_moment(&e) && Instant::now() < end => {
                std::thread::sleep(RETRY_INTERVAL);
            }
            done => return done,
        }
    }
}

fn bring_up_to_date(connection: &mut Connection, place: &str) -> Result<(), SqliteFault> {
    schema(connection, place)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // A checkpoint every 4 MiB. The size limit shrinks the log file again after a first load.
    connection.pragma_update(None, "wal_autocheckpoint", 1_000)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(64);
    MIGRATIONS.to_latest(connection).map_err(|e| match e {
        rusqlite_migration::Error::RusqliteError { err, .. } => SqliteFault::Sql(err),
        other => {
            SqliteFault::Corrupt(format!("its schema could not be brought up to date: {other}"))
        }
    })
}

/// The number of the schema in the file, at most the newest this build knows; 0 in an empty file.
fn schema(connection: &Connection, place: &str) -> Result<i64, SqliteFault> {
    // One statement: two could see another process's new tables without their schema number.
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
    Ok(found)
}
