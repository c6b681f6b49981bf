//! Reads of the SQLite store. The caller opens the transaction.
use std::{collections::BTreeMap, time::Duration};

use rusqlite::{Connection, Row as SqlRow, params, types::Type};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use upgrade_manager::state::{AccountStatus, AccountVersion};

use super::worker::{SqliteFault, SqliteResult};
use crate::{
    account::Quarantined,
    store::{
        Lease, MirrorState, ProgressRow, RawRow, RecordQuery, Row, SentRow, View,
        audit_log::{AuditRow, event::describe},
        merge::{Stored, progress_row, records, view as assemble},
    },
};

/// `n` as the integer that SQLite stores.
pub fn int(n: u64) -> SqliteResult<i64> {
    i64::try_from(n).map_err(|_| SqliteFault::Corrupt(format!("the number {n} is out of range")))
}

/// The number in column `at`; a negative one is an error.
pub fn nat(r: &SqlRow<'_>, at: usize) -> rusqlite::Result<u64> {
    u64::try_from(r.get::<_, i64>(at)?)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(at, Type::Integer, Box::new(e)))
}

/// The address in column `at`.
pub fn key_at(r: &SqlRow<'_>, at: usize) -> rusqlite::Result<Pubkey> {
    r.get::<_, [u8; 32]>(at).map(Pubkey::new_from_array)
}

/// The address in column `at`, which may be null.
pub fn opt_key_at(r: &SqlRow<'_>, at: usize) -> rusqlite::Result<Option<Pubkey>> {
    r.get::<_, Option<[u8; 32]>>(at).map(|k| k.map(Pubkey::new_from_array))
}

/// The number in column `at`, which may be null.
pub fn opt_nat(r: &SqlRow<'_>, at: usize) -> rusqlite::Result<Option<u64>> {
    r.get::<_, Option<i64>>(at)?.map(|_| nat(r, at)).transpose()
}

/// A number of the one row of `mirror_state`.
pub fn state_number(tx: &Connection, column: &'static str) -> SqliteResult<u64> {
    let sql = format!("SELECT {column} FROM mirror_state");
    Ok(tx.prepare_cached(&sql)?.query_row([], |r| nat(r, 0))?)
}

pub fn state(tx: &Connection) -> SqliteResult<MirrorState> {
    let state = tx
        .prepare_cached(
            "SELECT program_id, genesis_hash, run_id, frontier_slot, root_slot, confirmed_slot,
                 snapshot_slot, history_slot, audit_seq, audit_head, rev, lease_owner,
                 lease_until - CAST(unixepoch('subsec') * 1000 AS INTEGER)
             FROM mirror_state",
        )?
        .query_row([], |r| {
            let left = Duration::from_millis(u64::try_from(r.get::<_, i64>(12)?).unwrap_or(0));
            let owner: Option<String> = r.get(11)?;
            Ok(MirrorState {
                program_id: opt_key_at(r, 0)?,
                genesis_hash: r.get(1)?,
                run_id: r.get(2)?,
                frontier_slot: nat(r, 3)?,
                root_slot: nat(r, 4)?,
                confirmed_slot: nat(r, 5)?,
                snapshot_slot: nat(r, 6)?,
                history_slot: nat(r, 7)?,
                audit_seq: nat(r, 8)?,
                audit_head: r.get(9)?,
                rev: nat(r, 10)?,
                lease: owner.map(|owner| Lease { owner, left }),
            })
        })?;
    Ok(state)
}

fn stored(r: &SqlRow<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        pubkey: key_at(r, 0)?,
        raw: r.get(1)?,
        slot: nat(r, 2)?,
        closed_slot: opt_nat(r, 3)?,
    })
}

pub fn view(tx: &Connection) -> SqliteResult<View> {
    let rows: Vec<Stored> = tx
        .prepare_cached(
            "SELECT pubkey, raw, slot, closed_slot FROM accounts
             WHERE kind <> 'AccountVersion' AND kind <> 'AccountBackup' ORDER BY kind, pubkey",
        )?
        .query_map([], stored)?
        .collect::<Result<_, _>>()?;
    let mut view = assemble(rows, &progress(tx)?).map_err(SqliteFault::Corrupt)?;
    view.frontier = state_number(tx, "frontier_slot")?;
    view.rev = state_number(tx, "rev")?;
    Ok(view)
}

pub fn account_versions(
    tx: &Connection,
    program: &Pubkey,
    query: &RecordQuery,
) -> SqliteResult<Vec<Row<AccountVersion>>> {
    let after = query.after.map(|k| k.to_bytes().to_vec()).unwrap_or_default();
    let start = after.get(..4).unwrap_or_default();
    // The index is ordered by status and holds only prefixes of the columns, so each status is a
    // query of its own, and each condition is stated for the prefix and for the whole column.
    let mut select = tx.prepare_cached(
        "SELECT pubkey, raw, slot, closed_slot FROM accounts INDEXED BY accounts_version
         WHERE kind = 'AccountVersion' AND closed_slot IS NULL
             AND substr(program, 31) = substr(?1, 31) AND program = ?1
             AND substr(status, 1, 1) = substr(?2, 1, 1) AND status = ?2
             AND substr(pubkey, 1, 4) >= ?4 AND pubkey > ?3
         ORDER BY substr(pubkey, 1, 4), pubkey LIMIT ?5",
    )?;
    let mut rows: Vec<Stored> = vec![];
    for status in AccountStatus::ALL {
        if query.status.is_none_or(|only| only == status) {
            let found = select.query_map(
                params![program.as_array(), status.name(), after, start, query.limit],
                stored,
            )?;
            for row in found {
                rows.push(row?);
            }
        }
    }
    rows.sort_unstable_by_key(|row| row.pubkey);
    rows.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
    records(rows).map_err(SqliteFault::Corrupt)
}

pub fn rows(tx: &Connection, after: Option<Pubkey>, limit: u32) -> SqliteResult<Vec<RawRow>> {
    let after = after.map(|k| k.to_bytes().to_vec()).unwrap_or_default();
    let rows = tx
        .prepare_cached(
            "SELECT pubkey, raw, slot FROM accounts
             WHERE closed_slot IS NULL AND pubkey > ?1 ORDER BY pubkey LIMIT ?2",
        )?
        .query_map(params![after, limit], |r| {
            Ok(RawRow { pubkey: key_at(r, 0)?, raw: r.get(1)?, slot: nat(r, 2)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

pub fn progress(tx: &Connection) -> SqliteResult<BTreeMap<(Pubkey, Pubkey), ProgressRow>> {
    let rows = tx
        .prepare_cached(
            "SELECT program, proposal, pending, migrated, verified, restored, quarantined, closed
             FROM progress",
        )?
        .query_map([], |r| {
            let counts = [nat(r, 2)?, nat(r, 3)?, nat(r, 4)?, nat(r, 5)?, nat(r, 6)?, nat(r, 7)?];
            Ok(((key_at(r, 0)?, key_at(r, 1)?), progress_row(counts)))
        })?
        .filter(|row| !matches!(row, Ok((_, p)) if *p == ProgressRow::default()))
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

pub fn recount(tx: &Connection) -> SqliteResult<BTreeMap<(Pubkey, Pubkey), ProgressRow>> {
    let rows = tx
        .prepare_cached(
            "SELECT program, proposal,
                 count(*) FILTER (WHERE status = 'Pending'),
                 count(*) FILTER (WHERE status = 'Migrated'),
                 count(*) FILTER (WHERE status = 'Verified'),
                 count(*) FILTER (WHERE status = 'Restored'),
                 count(*) FILTER (WHERE status = 'Quarantined'),
                 count(*) FILTER (WHERE status = 'Closed')
             FROM accounts WHERE kind = 'AccountVersion' AND closed_slot IS NULL
             GROUP BY program, proposal",
        )?
        .query_map([], |r| {
            let counts = [nat(r, 2)?, nat(r, 3)?, nat(r, 4)?, nat(r, 5)?, nat(r, 6)?, nat(r, 7)?];
            Ok(((key_at(r, 0)?, key_at(r, 1)?), progress_row(counts)))
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

pub fn quarantined(tx: &Connection) -> SqliteResult<Vec<Quarantined>> {
    let rows = tx
        .prepare_cached("SELECT pubkey, slot, owner, error, raw FROM quarantine ORDER BY pubkey")?
        .query_map([], |r| {
            Ok(Quarantined {
                pubkey: key_at(r, 0)?,
                slot: nat(r, 1)?,
                owner: key_at(r, 2)?,
                error: r.get(3)?,
                raw: r.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

pub fn audit(tx: &Connection, after_seq: Option<u64>, limit: u32) -> SqliteResult<Vec<AuditRow>> {
    let sql = match after_seq {
        Some(_) => "SELECT * FROM audit_log WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        None => {
            "SELECT * FROM (SELECT * FROM audit_log WHERE seq > ?1 ORDER BY seq DESC LIMIT ?2)
             ORDER BY seq"
        }
    };
    let rows = tx
        .prepare_cached(sql)?
        .query_map(params![int(after_seq.unwrap_or(0))?, limit], |r| {
            let payload: Vec<u8> = r.get("payload")?;
            let signature: [u8; 64] = r.get("signature")?;
            Ok(AuditRow {
                seq: nat(r, 0)?,
                slot: nat(r, 1)?,
                tx_index: r.get("tx_index")?,
                ix_index: r.get("ix_index")?,
                inner_index: r.get("inner_index")?,
                signature: Signature::from(signature).to_string(),
                time: r.get("block_time")?,
                kind: r.get("kind")?,
                actor: r.get::<_, Option<[u8; 32]>>("actor")?.map(Pubkey::from),
                subject: r.get::<_, Option<[u8; 32]>>("subject")?.map(Pubkey::from),
                detail: describe(&payload).detail,
                payload,
                prev_hash: r.get("prev_hash")?,
                hash: r.get("hash")?,
                row_checksum: r.get("row_checksum")?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

pub fn sent(tx: &Connection, limit: u32) -> SqliteResult<Vec<SentRow>> {
    let rows = tx
        .prepare_cached(
            "SELECT at_ms, verb, proposal, signature, slot, units, bytes, elapsed_ms, error
             FROM sent ORDER BY id DESC LIMIT ?1",
        )?
        .query_map([limit], |r| {
            Ok(SentRow {
                at_ms: r.get(0)?,
                verb: r.get(1)?,
                proposal: opt_key_at(r, 2)?,
                signature: r.get(3)?,
                slot: nat(r, 4)?,
                units: r.get::<_, Option<i64>>(5)?.map(i64::unsigned_abs),
                bytes: nat(r, 6)?,
                elapsed_ms: nat(r, 7)?,
                error: r.get(8)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}
