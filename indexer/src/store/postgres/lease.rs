//! The lease. Every write first locks the one row of `mirror_state`, so writes are serial and counters
//! cannot drift, and a run that is not the newest is refused. All times are the server's: the clocks
//! of two indexers may differ.
use std::time::Duration;

use solana_pubkey::Pubkey;
use sqlx::{PgConnection, Row as _};

use super::{
    fault::{PostgresFault, PostgresResult},
    read::{StoredState, int, state_of},
};
use crate::store::{LEASE_DURATION, Marks, Run, StoreError};

const LOCK: &str = "SELECT *, lease_until - (extract(epoch FROM clock_timestamp()) * 1000)::bigint
    AS lease_left FROM mirror_state FOR UPDATE";
const RENEW_SQL: &str = "UPDATE mirror_state
    SET lease_until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $1";

/// Locks the store for a write that needs no lease, such as the local log.
pub async fn lock(tx: &mut PgConnection) -> PostgresResult<StoredState> {
    state_of(&sqlx::query(LOCK).fetch_one(tx).await?)
}

/// Locks the store for a write of `run`; refuses a run that is not the newest.
pub async fn lock_for(tx: &mut PgConnection, run: &Run) -> PostgresResult<StoredState> {
    let row = sqlx::query(LOCK).fetch_one(tx).await?;
    let state = state_of(&row)?;
    if state.run_id == u64::from(run.id) {
        return Ok(state);
    }
    let owner: Option<String> = row.try_get("lease_owner")?;
    let ended = || format!("run {} of an indexer that has ended", state.run_id);
    Err(PostgresFault::Fenced(owner.unwrap_or_else(ended)))
}

/// Begins a new run and gives it the lease under the name `owner`.
pub async fn begin(
    tx: &mut PgConnection,
    program: &Pubkey,
    genesis: &[u8; 32],
    owner: &str,
    place: &str,
) -> PostgresResult<Run> {
    let row = sqlx::query(LOCK).fetch_one(&mut *tx).await?;
    let stored = (row.try_get("program_id")?, row.try_get("genesis_hash")?);
    StoreError::check_identity(place, stored, (program, genesis))?;
    let (holder, left): (Option<String>, i64) =
        (row.try_get("lease_owner")?, row.try_get("lease_left")?);
    if let Some(holder) = holder.filter(|holder| left > 0 && holder != owner) {
        return Err(PostgresFault::Leased(holder, Duration::from_millis(left.unsigned_abs())));
    }
    let row = sqlx::query(
        "UPDATE mirror_state SET program_id = $1, genesis_hash = $2, run_id = run_id + 1,
             lease_owner = $3 RETURNING *",
    )
    .bind(program.as_ref())
    .bind(genesis.as_slice())
    .bind(owner)
    .fetch_one(&mut *tx)
    .await?;
    renew(tx).await?;
    let state = state_of(&row)?;
    let id = u32::try_from(state.run_id)
        .map_err(|_| PostgresFault::Corrupt("its run number is out of range".to_owned()))?;
    Ok(Run { id, snapshot_slot: state.snapshot_slot, root_slot: state.root_slot })
}

/// Extends the lease by [`LEASE_DURATION`] from now. The caller holds the lock.
pub async fn renew(tx: &mut PgConnection) -> PostgresResult<()> {
    let term = i64::try_from(LEASE_DURATION.as_millis()).unwrap_or(i64::MAX);
    sqlx::query(RENEW_SQL).bind(term).execute(tx).await?;
    Ok(())
}

/// Renews the lease, raises the marks, and deletes undo-log entries of finalised slots.
pub async fn keep(tx: &mut PgConnection, run: &Run, marks: Marks) -> PostgresResult<()> {
    lock_for(tx, run).await?;
    renew(tx).await?;
    sqlx::query(
        "UPDATE mirror_state SET frontier_slot = greatest(frontier_slot, $1),
             root_slot = greatest(root_slot, $2), confirmed_slot = greatest(confirmed_slot, $3)",
    )
    .bind(marks.frontier.map(int).transpose()?)
    .bind(marks.root.map(int).transpose()?)
    .bind(marks.confirmed.map(int).transpose()?)
    .execute(&mut *tx)
    .await?;
    if let Some(root) = marks.root {
        sqlx::query("DELETE FROM undo_log WHERE at_slot <= $1")
            .bind(int(root)?)
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// Releases the lease, if `run` still holds it.
pub async fn end(tx: &mut PgConnection, run: &Run) -> PostgresResult<()> {
    sqlx::query("UPDATE mirror_state SET lease_owner = NULL, lease_until = 0 WHERE run_id = $1")
        .bind(i64::from(run.id))
        .execute(tx)
        .await?;
    Ok(())
}
