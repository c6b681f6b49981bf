//! The first load of an empty mirror, in one transaction: drops every index but the primary key, inserts
//! the rows, builds the indexes again. SQLite spills pages to the log on the way, so memory does not
//! grow with the number of accounts.
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::mpsc;

use super::{
    lease,
    read::int,
    worker::SqliteResult,
    write::{CACHE_KIB, insert_with, revise, shift},
};
use crate::{
    account::{Quarantined, Update},
    store::{Fill, Run, StoreError, merge::Deltas},
};

/// Page cache during the load: rows come in no order of address, and this holds the primary key of a
/// million rows. More would take the whole process over 150 MiB.
const LOADING_KIB: i64 = 48 << 10;

/// Loads the rows and returns their number; [`None`] when there are accounts already.
pub fn fill(
    connection: &mut Connection,
    run: &Run,
    place: &str,
    mut rows: mpsc::Receiver<Fill>,
) -> SqliteResult<Option<u64>> {
    cache(connection, LOADING_KIB)?;
    let filled = load(connection, run, place, &mut rows);
    cache(connection, CACHE_KIB)?;
    let filled = filled?;
    if filled.is_some() {
        // The log is as large as the mirror now. A reader can block the checkpoint; that is no failure.
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
    connection.release_memory()?;
    Ok(filled)
}

fn cache(connection: &Connection, kib: i64) -> SqliteResult<()> {
    Ok(connection.pragma_update(None, "cache_size", -kib)?)
}

fn load(
    connection: &mut Connection,
    run: &Run,
    place: &str,
    rows: &mut mpsc::Receiver<Fill>,
) -> SqliteResult<Option<u64>> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    lease::check(&tx, run, place)?;
    if tx.query_row("SELECT EXISTS (SELECT 1 FROM accounts)", [], |r| r.get(0))? {
        return Ok(None);
    }
    let indexes = drop_indexes(&tx)?;
    let (mut taken, mut deltas) = (0u64, Deltas::default());
    loop {
        match rows.blocking_recv() {
            Some(Fill::Rows(mut updates, bad)) => {
                updates.sort_unstable_by_key(|u| u.pubkey);
                taken = taken.saturating_add(insert(&tx, &updates, &mut deltas)?);
                set_aside(&tx, &bad)?;
            }
            Some(Fill::End) => break,
            None => {
                return Err(StoreError::Unavailable {
                    place: place.to_owned(),
                    detail: "the snapshot ended before it was complete".to_owned(),
                }
                .into());
            }
        }
    }
    // Building an index sorts in separate memory of up to the cache size, so the cache shrinks first.
    cache(&tx, CACHE_KIB)?;
    tx.release_memory()?;
    for sql in indexes {
        tx.execute_batch(&sql)?;
    }
    shift(&tx, &deltas)?;
    revise(&tx, true)?;
    tx.commit()?;
    Ok(Some(taken))
}

/// Drops the indexes on `accounts` and returns the statements that create them again.
fn drop_indexes(tx: &Connection) -> SqliteResult<Vec<String>> {
    let found: Vec<(String, String)> = tx
        .prepare(
            "SELECT name, sql FROM sqlite_schema
             WHERE type = 'index' AND tbl_name = 'accounts' AND sql IS NOT NULL",
        )?
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (name, _) in &found {
        tx.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    Ok(found.into_iter().map(|(_, sql)| sql).collect())
}

fn insert(tx: &Connection, updates: &[Update], deltas: &mut Deltas) -> SqliteResult<u64> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO accounts (pubkey, kind, program, proposal, account, status, version,
             data_hash, raw, slot, write_version)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (pubkey) DO NOTHING",
    )?;
    let mut taken = 0u64;
    for update in updates {
        let new = insert_with(&mut insert, update)?;
        // A node may return one account in two pages. The first one stays; the stream corrects it.
        if new > 0 {
            deltas.shift(None, update.facets.tally.as_ref());
            taken = taken.saturating_add(1);
        }
    }
    Ok(taken)
}

fn set_aside(tx: &Connection, bad: &[Quarantined]) -> SqliteResult<()> {
    for q in bad {
        tx.prepare_cached(
            "INSERT INTO quarantine (pubkey, slot, owner, error, raw) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (pubkey) DO NOTHING",
        )?
        .execute(params![
            q.pubkey.as_array(),
            int(q.slot)?,
            q.owner.as_array(),
            q.error,
            q.raw
        ])?;
    }
    Ok(())
}
