//! The notes of the local log, and the removal of old rows.
use rusqlite::Connection;

use super::{
    lease::NOW,
    read::{int, nat, state_number},
    worker::{SqliteFault, SqliteResult},
};
use crate::store::{OpRow, Retention};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Slots of a day, at 400 ms.
const DAY_SLOTS: u64 = 216_000;

pub fn log_op(tx: &Connection, kind: &str, detail: &str) -> SqliteResult<()> {
    let sql = format!("INSERT INTO ops_log (at_ms, kind, detail) VALUES ({NOW}, ?1, ?2)");
    tx.prepare_cached(&sql)?.execute([kind, detail])?;
    Ok(())
}

pub fn ops(tx: &Connection, limit: u32) -> SqliteResult<Vec<OpRow>> {
    let rows: Vec<(u64, i64, String, String)> = tx
        .prepare_cached("SELECT id, at_ms, kind, detail FROM ops_log ORDER BY id DESC LIMIT ?1")?
        .query_map([limit], |r| Ok((nat(r, 0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?
        .collect::<Result<_, _>>()?;
    let read = |(id, at_ms, kind, detail): (u64, i64, String, String)| {
        let detail = serde_json::from_str(&detail)
            .map_err(|e| SqliteFault::Corrupt(format!("note {id} of ops_log is no JSON: {e}")))?;
        Ok(OpRow { id, at_ms, kind, detail })
    };
    rows.into_iter().map(read).collect()
}

/// Removes rows older than `retention` allows; returns how many.
pub fn retain(tx: &Connection, retention: &Retention) -> SqliteResult<u64> {
    let root = state_number(tx, "root_slot")?;
    let now: i64 = tx.query_row(&format!("SELECT {NOW}"), [], |r| r.get(0))?;
    let ms_ago = |days: u32| now.saturating_sub(DAY_MS.saturating_mul(i64::from(days)));
    let slots_ago = |days: u32| int(root.saturating_sub(DAY_SLOTS.saturating_mul(u64::from(days))));
    let mut gone = 0usize;
    if let Some(days) = retention.ops_days {
        gone += tx.execute("DELETE FROM ops_log WHERE at_ms < ?1", [ms_ago(days)])?;
    }
    if let Some(days) = retention.outbox_days {
        // Dead letters show their announcement, so it stays as long as they do.
        gone += tx.execute(
            "DELETE FROM outbox
             WHERE slot < ?1
                 AND NOT EXISTS (SELECT 1 FROM hooks WHERE next_id <= outbox.id)
                 AND NOT EXISTS (SELECT 1 FROM dead_letters WHERE outbox_id = outbox.id)",
            [slots_ago(days)?],
        )?;
    }
    if let Some(days) = retention.closed_days {
        // A later snapshot has confirmed the close: the floor refuses older states, so the row
        // cannot come back.
        gone += tx.execute(
            "DELETE FROM accounts WHERE kind IN ('AccountVersion', 'AccountBackup')
                 AND closed_slot < ?1 AND closed_slot <= (SELECT snapshot_slot FROM mirror_state)",
            [slots_ago(days)?],
        )?;
    }
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}
