//! The outbox of announcements, and each webhook's position in it.
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use solana_pubkey::Pubkey;

use super::{
    read::{int, nat, opt_key_at},
    worker::{SqliteFault, SqliteResult},
};
use crate::store::{Announcement, DeadLetter, HookState, OutboxRow, Sent};

/// Appends `said` to the outbox unless its event id is there already; returns whether it was new.
pub fn put(tx: &Connection, said: &Announcement) -> SqliteResult<bool> {
    let new = tx
        .prepare_cached(
            "INSERT INTO outbox (event_id, kind, slot, chain_time, subject, detail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (event_id) DO NOTHING",
        )?
        .execute(params![
            said.event_id,
            said.kind,
            int(said.slot)?,
            said.chain_time,
            said.subject.as_ref().map(Pubkey::as_array),
            said.detail,
        ])?;
    Ok(new > 0)
}

pub fn behind(tx: &Connection, after: u64, limit: u32) -> SqliteResult<Vec<OutboxRow>> {
    let rows = tx
        .prepare_cached(
            "SELECT id, event_id, kind, slot, chain_time, subject, detail FROM outbox
             WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?
        .query_map(params![int(after)?, limit], |r| row(r, 0))?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// The outbox row whose columns start at `at`.
fn row(r: &SqlRow<'_>, at: usize) -> rusqlite::Result<OutboxRow> {
    let column = |n: usize| at.saturating_add(n);
    Ok(OutboxRow {
        id: nat(r, column(0))?,
        announcement: Announcement {
            event_id: r.get(column(1))?,
            kind: r.get(column(2))?,
            slot: nat(r, column(3))?,
            chain_time: r.get(column(4))?,
            subject: opt_key_at(r, column(5))?,
            detail: r.get(column(6))?,
        },
    })
}

pub fn hook(tx: &Connection, name: &str, since_slot: u64) -> SqliteResult<HookState> {
    tx.prepare_cached(
        "INSERT INTO hooks (name, since_slot, next_id) VALUES (?1, ?2, 1) ON CONFLICT DO NOTHING",
    )?
    .execute(params![name, int(since_slot)?])?;
    let mut all = hooks(tx, Some(name))?;
    all.pop().ok_or_else(|| SqliteFault::Corrupt(format!("the webhook {name} was not kept")))
}

/// Every webhook, or the one called `name`.
pub fn hooks(tx: &Connection, name: Option<&str>) -> SqliteResult<Vec<HookState>> {
    let rows = tx
        .prepare_cached(
            "SELECT name, since_slot, next_id, attempts, next_at_ms, last_error FROM hooks
             WHERE ?1 IS NULL OR name = ?1 ORDER BY name",
        )?
        .query_map([name], |r| {
            Ok(HookState {
                name: r.get(0)?,
                since_slot: nat(r, 1)?,
                next_id: nat(r, 2)?,
                attempts: r.get(3)?,
                next_at_ms: r.get(4)?,
                last_error: r.get(5)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

pub fn sent(tx: &Connection, name: &str, id: u64, sent: &Sent) -> SqliteResult<()> {
    // Never move a webhook back: another process may have sent this row in the meantime.
    let at: Option<(u64, u32)> = tx
        .prepare_cached("SELECT next_id, attempts FROM hooks WHERE name = ?1 AND next_id <= ?2")?
        .query_row(params![name, int(id)?], |r| Ok((nat(r, 0)?, r.get(1)?)))
        .optional()?;
    let Some((next_id, attempts)) = at else { return Ok(()) };
    let attempts = if next_id == id { attempts.saturating_add(1) } else { 1 };
    let (next_id, attempts, next_at_ms, error) = match sent {
        Sent::Taken => (id.saturating_add(1), 0, 0, None),
        Sent::Again { error, next_at_ms } => (id, attempts, *next_at_ms, Some(error)),
        Sent::Dead { error, at_ms } => {
            tx.prepare_cached(
                "INSERT INTO dead_letters (hook, outbox_id, attempts, error, at_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (hook, outbox_id) DO UPDATE SET attempts = excluded.attempts,
                     error = excluded.error, at_ms = excluded.at_ms",
            )?
            .execute(params![name, int(id)?, attempts, error, at_ms])?;
            (id.saturating_add(1), 0, 0, Some(error))
        }
    };
    tx.prepare_cached(
        "UPDATE hooks SET next_id = ?2, attempts = ?3, next_at_ms = ?4, last_error = ?5
         WHERE name = ?1",
    )?
    .execute(params![name, int(next_id)?, attempts, next_at_ms, error])?;
    Ok(())
}

pub fn dead_letters(tx: &Connection) -> SqliteResult<Vec<DeadLetter>> {
    let rows = tx
        .prepare_cached(
            "SELECT d.hook, d.attempts, d.error, d.at_ms,
                 o.id, o.event_id, o.kind, o.slot, o.chain_time, o.subject, o.detail
             FROM dead_letters d JOIN outbox o ON o.id = d.outbox_id
             ORDER BY d.outbox_id, d.hook",
        )?
        .query_map([], |r| {
            Ok(DeadLetter {
                hook: r.get(0)?,
                attempts: r.get(1)?,
                error: r.get(2)?,
                at_ms: r.get(3)?,
                row: row(r, 4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

pub fn forget_dead(tx: &Connection, hook: &str, id: u64) -> SqliteResult<bool> {
    let gone = tx
        .prepare_cached("DELETE FROM dead_letters WHERE hook = ?1 AND outbox_id = ?2")?
        .execute(params![hook, int(id)?])?;
    Ok(gone > 0)
}
