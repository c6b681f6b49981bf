//! The lease, and a lock file beside the database. The lease alone would block a restart until it runs
//! out; the operating system releases the lock when a process dies, so its holder knows at once that no
//! other run is alive.
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;

use super::{
    read::{self, int},
    worker::SqliteResult,
};
use crate::store::{LEASE_DURATION, Marks, Run, StoreError};

/// This store's clock, milliseconds since 1970.
pub const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// The lock file of one store.
pub struct FileLock {
    /// [`None`] for an in-memory store, which no other process can open.
    path: Option<PathBuf>,
    held: Mutex<Option<File>>,
}

impl FileLock {
    /// The lock of the database at `path`; a symlink gives the same lock as the file itself.
    pub fn of(path: Option<&Path>) -> Self {
        let path = path.map(|path| {
            let mut name = path.canonicalize().unwrap_or_else(|_| path.to_owned()).into_os_string();
            name.push(".lock");
            PathBuf::from(name)
        });
        Self { path, held: Mutex::new(None) }
    }

    fn held(&self) -> MutexGuard<'_, Option<File>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock. `Some(true)`: taken now; `Some(false)`: this store held it already; [`None`]:
    /// another store holds it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be made or this disk knows no locks.
    pub fn take(&self, place: &str) -> Result<Option<bool>, StoreError> {
        let (Some(path), mut held) = (&self.path, self.held()) else { return Ok(Some(false)) };
        if held.is_some() {
            return Ok(Some(false));
        }
        let failed = |e: std::io::Error| StoreError::Unavailable {
            place: place.to_owned(),
            detail: format!("{} cannot be locked: {e}", path.display()),
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                *held = Some(file);
                Ok(Some(true))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(failed(e)),
        }
    }

    /// Releases the lock. The file stays: another process may have just locked it, and a third would
    /// then lock a new file of the same name.
    pub fn release(&self) {
        *self.held() = None;
    }
}

/// Begins a new run. The caller holds the [`FileLock`], so no other run is alive, whatever the lease
/// says.
pub fn begin(
    tx: &Connection,
    (program, genesis): (&Pubkey, &[u8; 32]),
    owner: &str,
    place: &str,
) -> SqliteResult<Run> {
    identity(tx, (program, genesis), place)?;
    let sql = format!(
        "UPDATE mirror_state SET program_id = ?1, genesis_hash = ?2, run_id = run_id + 1,
             lease_owner = ?3, lease_until = {NOW} + ?4"
    );
    tx.execute(&sql, params![program.as_array(), genesis, owner, lease()])?;
    let state = read::state(tx)?;
    Ok(Run { id: state.run_id, snapshot_slot: state.snapshot_slot, root_slot: state.root_slot })
}

/// Refuses a store that mirrors another program or cluster.
pub fn identity(tx: &Connection, given: (&Pubkey, &[u8; 32]), place: &str) -> SqliteResult<()> {
    let stored: (Option<Vec<u8>>, Option<Vec<u8>>) = tx
        .prepare_cached("SELECT program_id, genesis_hash FROM mirror_state")?
        .query_row([], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(StoreError::check_identity(place, (stored.0.as_deref(), stored.1.as_deref()), given)?)
}

/// Refuses `run` once a newer one has begun. Must run in the transaction that writes.
pub fn check(tx: &Connection, run: &Run, place: &str) -> SqliteResult<()> {
    let (id, owner): (u32, Option<String>) = tx
        .prepare_cached("SELECT run_id, lease_owner FROM mirror_state")?
        .query_row([], |r| Ok((r.get(0)?, r.get(1)?)))?;
    if id == run.id {
        return Ok(());
    }
    let owner = owner.unwrap_or_else(|| "a later run".to_owned());
    Err(StoreError::Fenced { place: place.to_owned(), owner }.into())
}

/// Renews the lease, raises the marks, and deletes undo-log entries of finalised slots.
pub fn keep(tx: &Connection, marks: Marks) -> SqliteResult<()> {
    let [frontier, root, confirmed] =
        [marks.frontier, marks.root, marks.confirmed].map(|mark| int(mark.unwrap_or(0)));
    let (frontier, root, confirmed) = (frontier?, root?, confirmed?);
    let sql = format!(
        "UPDATE mirror_state SET lease_until = {NOW} + ?1,
             frontier_slot = max(frontier_slot, ?2), root_slot = max(root_slot, ?3),
             confirmed_slot = max(confirmed_slot, ?4)"
    );
    tx.prepare_cached(&sql)?.execute(params![lease(), frontier, root, confirmed])?;
    tx.prepare_cached(
        "DELETE FROM undo_log WHERE at_slot <= (SELECT root_slot FROM mirror_state)",
    )?
    .execute([])?;
    Ok(())
}

/// Releases the lease, if `run` still holds it.
pub fn end(tx: &Connection, run: &Run) -> SqliteResult<()> {
    tx.execute(
        "UPDATE mirror_state SET lease_owner = NULL, lease_until = 0 WHERE run_id = ?1",
        [run.id],
    )?;
    Ok(())
}

fn lease() -> i64 {
    i64::try_from(LEASE_DURATION.as_millis()).unwrap_or(i64::MAX)
}
