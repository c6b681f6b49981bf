//! The local log (sent transactions, notices, notes) and the removal of old rows.
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{
    fault::{PostgresFault, PostgresResult},
    lease::{lock, lock_for},
    live::{raw, revise, text},
    read::{int, nat},
};
use crate::store::{OpRow, Retention, Run, SentRow};

/// Slots of 400 ms in a day.
const SLOTS_A_DAY: i64 = 216_000;
const MILLIS_A_DAY: i64 = 86_400_000;

/// Records a transaction that this control room sent.
pub async fn record_sent(tx: &mut PgConnection, row: &SentRow) -> PostgresResult<()> {
    let state = lock(tx).await?;
    sqlx::query(
        "INSERT INTO sent (at_ms, verb, proposal, signature, slot, units, bytes, elapsed_ms, error)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(row.at_ms)
    .bind(text(&row.verb))
    .bind(row.proposal.as_ref().map(raw))
    .bind(text(&row.signature))
    .bind(int(row.slot)?)
    .bind(row.units.map(int).transpose()?)
    .bind(int(row.bytes)?)
    .bind(int(row.elapsed_ms)?)
    .bind(row.error.as_deref().map(text))
    .execute(&mut *tx)
    .await?;
    revise(tx, &state, true).await?;
    Ok(())
}

/// True for the first call with `key`, false for every later one, also in other processes.
pub async fn claim_notice(tx: &mut PgConnection, key: &str) -> PostgresResult<bool> {
    let done = sqlx::query("INSERT INTO notices (key) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(text(key))
        .execute(tx)
        .await?;
    Ok(done.rows_affected() > 0)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub async fn log_op(tx: &mut PgConnection, kind: &str, detail: &str) -> PostgresResult<()> {
    sqlx::query("INSERT INTO ops_log (at_ms, kind, detail) VALUES ($1, $2, $3)")
        .bind(now_ms())
        .bind(text(kind))
        .bind(text(detail))
        .execute(tx)
        .await?;
    Ok(())
}

/// The newest notes, newest first.
pub async fn ops(tx: &mut PgConnection, limit: u32) -> PostgresResult<Vec<OpRow>> {
    let rows = sqlx::query("SELECT * FROM ops_log ORDER BY id DESC LIMIT $1")
        .bind(i64::from(limit))
        .fetch_all(tx)
        .await?;
    let op = |r: &PgRow| {
        let detail: &str = r.try_get("detail")?;
        Ok(OpRow {
            id: nat(r, "id")?,
            at_ms: r.try_get("at_ms")?,
            kind: r.try_get("kind")?,
            detail: serde_json::from_str(detail).map_err(|e| {
                PostgresFault::Corrupt(format!("a note of ops_log is not JSON: {e}"))
            })?,
        })
    };
    rows.iter().map(op).collect()
}

/// Removes rows older than `retention` allows; returns how many.
pub async fn retain(
    tx: &mut PgConnection,
    run: &Run,
    retention: &Retention,
) -> PostgresResult<u64> {
    let state = lock_for(tx, run).await?;
    let slots = |days: u32| {
        int(state.root_slot).map(|root| root.saturating_sub(i64::from(days) * SLOTS_A_DAY))
    };
    let mut removed = 0u64;
    if let Some(days) = retention.ops_days {
        let before = now_ms().saturating_sub(i64::from(days) * MILLIS_A_DAY);
        let done = sqlx::query("DELETE FROM ops_log WHERE at_ms < $1").bind(before);
        removed = removed.saturating_add(done.execute(&mut *tx).await?.rows_affected());
    }
    if let Some(days) = retention.outbox_days {
        // Dead letters show their announcement, so it stays as long as they do.
        let done = sqlx::query(
            "DELETE FROM outbox o WHERE slot < $1
                 AND NOT EXISTS (SELECT 1 FROM hooks h WHERE h.next_id <= o.id)
                 AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.outbox_id = o.id)",
        );
        removed = removed
            .saturating_add(done.bind(slots(days)?).execute(&mut *tx).await?.rows_affected());
    }
    if let Some(days) = retention.closed_days {
        let done = sqlx::query(
            "DELETE FROM accounts WHERE closed_slot < $1
                 AND kind IN ('AccountVersion', 'AccountBackup')",
        );
        removed = removed
            .saturating_add(done.bind(slots(days)?).execute(&mut *tx).await?.rows_affected());
    }
    Ok(removed)
}
