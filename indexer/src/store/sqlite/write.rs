//! Writes of the live path, always inside the caller's transaction.
use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Statement, params};
use solana_pubkey::Pubkey;

use super::{
    read::{self, int, opt_key_at},
    worker::SqliteResult,
};
use crate::{
    account::{Quarantined, Update},
    store::{
        Applied, Batch, SentRow,
        merge::{Bounds, Change, Deltas, KnownRow, Plan, newest, plan, tally},
    },
};

/// Page cache of the writer thread.
pub const CACHE_KIB: i64 = 16 << 10;

pub fn apply(tx: &Connection, batch: Batch) -> SqliteResult<Applied> {
    let floor = read::state_number(tx, "snapshot_slot")?;
    let bounds = Bounds { floor, root: read::state_number(tx, "root_slot")? };
    let (changes, doubled) = newest(batch.updates, batch.closes);
    let known = known(tx, &changes)?;
    let plan = plan(bounds, changes, &known);
    log_for_undo(tx, &plan.keep)?;
    for update in &plan.writes {
        if known.get(&update.pubkey).is_some_and(|old| is_same_record(old, update)) {
            rewrite(tx, update)?;
        } else {
            upsert(tx, update)?;
        }
    }
    for (pubkey, slot, write_version) in &plan.touches {
        tx.prepare_cached("UPDATE accounts SET slot = ?2, write_version = ?3 WHERE pubkey = ?1")?
            .execute(params![pubkey.as_array(), int(*slot)?, int(*write_version)?])?;
    }
    log_for_undo(tx, &plan.keep_then)?;
    for close in &plan.closes {
        tx.prepare_cached(
            "UPDATE accounts SET slot = ?2, write_version = ?3, closed_slot = ?2 WHERE pubkey = ?1",
        )?
        .execute(params![
            close.pubkey.as_array(),
            int(close.slot)?,
            int(close.write_version)?
        ])?;
    }
    shift(tx, &plan.deltas)?;
    let moved = quarantine(tx, floor, &batch.quarantined, &plan)?;
    if let Some(frontier) = batch.frontier {
        tx.prepare_cached("UPDATE mirror_state SET frontier_slot = ?1 WHERE frontier_slot < ?1")?
            .execute([int(frontier)?])?;
    }
    let written = u64::try_from(plan.writes.len()).unwrap_or(u64::MAX);
    let rev = revise(tx, written > 0 || plan.closed > 0 || moved > 0)?;
    let stale = plan.stale.saturating_add(doubled);
    Ok(Applied { written, unchanged: plan.unchanged, stale, closed: plan.closed, rev })
}

/// Copies the rows of `rows` into the undo log before the caller overwrites them; an account without
/// a row gets an entry with nulls. An entry that the slot already has stays: it is older, from before
/// the slot's first write.
fn log_for_undo(tx: &Connection, rows: &[(u64, Pubkey)]) -> SqliteResult<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO undo_log (at_slot, pubkey, kind, program, proposal, account, status, version,
             data_hash, raw, slot, write_version, closed_slot)
         SELECT ?1, ?2, a.kind, a.program, a.proposal, a.account, a.status, a.version,
             a.data_hash, a.raw, a.slot, a.write_version, a.closed_slot
         FROM (SELECT 1) LEFT JOIN accounts a ON a.pubkey = ?2 WHERE true
         ON CONFLICT DO NOTHING",
    )?;
    for (slot, pubkey) in rows {
        insert.execute(params![int(*slot)?, pubkey.as_array()])?;
    }
    Ok(())
}

fn known(tx: &Connection, changes: &[Change]) -> SqliteResult<HashMap<Pubkey, KnownRow>> {
    let mut select = tx.prepare_cached(
        "SELECT slot, write_version, closed_slot IS NOT NULL, data_hash, program, proposal, status, kind
         FROM accounts WHERE pubkey = ?1",
    )?;
    let mut out = HashMap::with_capacity(changes.len());
    for pubkey in changes.iter().filter_map(Change::pubkey) {
        let found = select
            .query_row([pubkey.as_array()], |r| {
                let kind: String = r.get(7)?;
                let status: Option<String> = r.get(6)?;
                let (program, proposal) = (opt_key_at(r, 4)?, opt_key_at(r, 5)?);
                Ok(KnownRow {
                    slot: r.get::<_, i64>(0)?.unsigned_abs(),
                    write_version: r.get::<_, i64>(1)?.unsigned_abs(),
                    closed: r.get(2)?,
                    data_hash: r.get(3)?,
                    tally: tally(&kind, program, proposal, status.as_deref()),
                })
            })
            .optional()?;
        out.extend(found.map(|k| (pubkey, k)));
    }
    Ok(out)
}

/// Whether `new` is a later state of the live version record `old`. An UPDATE makes SQLite touch every
/// index on the columns it names, even if they do not change; [`rewrite`] leaves the constant ones out.
fn is_same_record(old: &KnownRow, new: &Update) -> bool {
    match (old.tally, new.facets.tally) {
        (Some(old_tally), Some(tally)) => !old.closed && old_tally.program == tally.program,
        _ => false,
    }
}

fn rewrite(tx: &Connection, update: &Update) -> SqliteResult<()> {
    let facets = &update.facets;
    tx.prepare_cached(
        "UPDATE accounts SET proposal = ?2, account = ?3, status = ?4, version = ?5,
             data_hash = ?6, raw = ?7, slot = ?8, write_version = ?9
         WHERE pubkey = ?1",
    )?
    .execute(params![
        update.pubkey.as_array(),
        facets.proposal.as_ref().map(Pubkey::as_array),
        facets.account.as_ref().map(Pubkey::as_array),
        facets.status,
        facets.version,
        update.data_hash,
        update.raw,
        int(update.slot)?,
        int(update.write_version)?,
    ])?;
    Ok(())
}

/// Executes `insert`, whose parameters are the columns from `pubkey` to `write_version` in the order of
/// the schema, for `update`; returns the number of changed rows.
pub fn insert_with(insert: &mut Statement<'_>, update: &Update) -> SqliteResult<usize> {
    let facets = &update.facets;
    Ok(insert.execute(params![
        update.pubkey.as_array(),
        facets.kind.name(),
        facets.program.as_ref().map(Pubkey::as_array),
        facets.proposal.as_ref().map(Pubkey::as_array),
        facets.account.as_ref().map(Pubkey::as_array),
        facets.status,
        facets.version,
        update.data_hash,
        update.raw,
        int(update.slot)?,
        int(update.write_version)?,
    ])?)
}

fn upsert(tx: &Connection, update: &Update) -> SqliteResult<()> {
    let mut upsert = tx.prepare_cached(
        "INSERT INTO accounts (pubkey, kind, program, proposal, account, status, version,
             data_hash, raw, slot, write_version, closed_slot)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, NULL)
         ON CONFLICT (pubkey) DO UPDATE SET kind = excluded.kind, program = excluded.program,
             proposal = excluded.proposal, account = excluded.account, status = excluded.status,
             version = excluded.version, data_hash = excluded.data_hash, raw = excluded.raw,
             slot = excluded.slot, write_version = excluded.write_version, closed_slot = NULL
         WHERE (excluded.slot, excluded.write_version) > (accounts.slot, accounts.write_version)",
    )?;
    insert_with(&mut upsert, update)?;
    Ok(())
}

pub fn shift(tx: &Connection, deltas: &Deltas) -> SqliteResult<()> {
    for (program, proposal, by) in deltas.iter() {
        tx.prepare_cached(
            "INSERT INTO progress (program, proposal) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![program.as_array(), proposal.as_array()])?;
        tx.prepare_cached(
            "UPDATE progress SET pending = pending + ?3, migrated = migrated + ?4,
                 verified = verified + ?5, restored = restored + ?6,
                 quarantined = quarantined + ?7, closed = closed + ?8
             WHERE program = ?1 AND proposal = ?2",
        )?
        .execute(params![
            program.as_array(),
            proposal.as_array(),
            by[0],
            by[1],
            by[2],
            by[3],
            by[4],
            by[5]
        ])?;
    }
    Ok(())
}

/// Removes readable and closed accounts from quarantine and inserts undecodable ones; returns how many
/// rows changed.
fn quarantine(
    tx: &Connection,
    floor: u64,
    bad: &[Quarantined],
    plan: &Plan,
) -> SqliteResult<usize> {
    let mut moved = 0usize;
    let any: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM quarantine)")?
        .query_row([], |r| r.get(0))?;
    if any {
        let mut delete =
            tx.prepare_cached("DELETE FROM quarantine WHERE pubkey = ?1 AND slot <= ?2")?;
        for (pubkey, slot) in &plan.readable {
            moved += delete.execute(params![pubkey.as_array(), int(*slot)?])?;
        }
    }
    for q in bad.iter().filter(|q| q.slot >= floor) {
        moved += tx
            .prepare_cached(
                "INSERT INTO quarantine (pubkey, slot, owner, error, raw)
                 SELECT ?1, ?2, ?3, ?4, ?5
                 WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE pubkey = ?1 AND slot > ?2)
                 ON CONFLICT (pubkey) DO UPDATE SET slot = excluded.slot, owner = excluded.owner,
                     error = excluded.error, raw = excluded.raw
                 WHERE excluded.slot > quarantine.slot AND excluded.raw <> quarantine.raw",
            )?
            .execute(params![
                q.pubkey.as_array(),
                int(q.slot)?,
                q.owner.as_array(),
                q.error,
                q.raw
            ])?;
    }
    Ok(moved)
}

/// Raises the revision if something `changed`; returns it.
pub fn revise(tx: &Connection, changed: bool) -> SqliteResult<u64> {
    if changed {
        tx.prepare_cached("UPDATE mirror_state SET rev = rev + 1")?.execute([])?;
    }
    read::state_number(tx, "rev")
}

pub fn record_sent(tx: &Connection, row: &SentRow) -> SqliteResult<()> {
    tx.prepare_cached(
        "INSERT INTO sent (at_ms, verb, proposal, signature, slot, units, bytes, elapsed_ms, error)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        row.at_ms,
        row.verb,
        row.proposal.as_ref().map(Pubkey::as_array),
        row.signature,
        int(row.slot)?,
        row.units.map(int).transpose()?,
        int(row.bytes)?,
        int(row.elapsed_ms)?,
        row.error,
    ])?;
    revise(tx, true)?;
    Ok(())
}

pub fn claim_notice(tx: &Connection, key: &str) -> SqliteResult<bool> {
    let new = tx
        .prepare_cached("INSERT INTO notices (key) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([key])?;
    Ok(new > 0)
}
