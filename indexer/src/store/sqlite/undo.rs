//! Undoes writes of orphaned slots. [`super::write`] fills the undo log; this file reads it back.
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use solana_pubkey::Pubkey;

use super::{
    read::{int, key_at, nat, opt_key_at, opt_nat},
    worker::SqliteResult,
    write::{revise, shift},
};
use crate::store::{
    Undone,
    merge::{Deltas, Image, UndoneRow, unwind},
};

/// The slots up to `upto` that have entries in the undo log, ascending.
pub fn slots(tx: &Connection, upto: u64) -> SqliteResult<Vec<u64>> {
    let upto = i64::try_from(upto).unwrap_or(i64::MAX);
    let slots = tx
        .prepare_cached("SELECT DISTINCT at_slot FROM undo_log WHERE at_slot <= ?1 ORDER BY 1")?
        .query_map([upto], |r| nat(r, 0))?
        .collect::<Result<_, _>>()?;
    Ok(slots)
}

const COLUMNS: &str = "kind, program, proposal, account, status, version, data_hash, raw, slot, write_version, \
                       closed_slot";

/// The row in [`COLUMNS`], which begin at `at`; `None` where the kind is null.
fn image(r: &SqlRow<'_>, at: usize) -> rusqlite::Result<Option<Image>> {
    let Some(kind) = r.get::<_, Option<String>>(at)? else { return Ok(None) };
    Ok(Some(Image {
        kind,
        program: opt_key_at(r, at + 1)?,
        proposal: opt_key_at(r, at + 2)?,
        account: opt_key_at(r, at + 3)?,
        status: r.get(at + 4)?,
        version: r.get(at + 5)?,
        data_hash: r.get(at + 6)?,
        raw: r.get(at + 7)?,
        slot: nat(r, at + 8)?,
        write_version: nat(r, at + 9)?,
        closed_slot: opt_nat(r, at + 10)?,
    }))
}

type Log = BTreeMap<Pubkey, BTreeMap<u64, Option<Image>>>;

/// Every undo-log entry of the accounts that were written in `slots`, a JSON list.
fn log_of(tx: &Connection, slots: &str) -> SqliteResult<Log> {
    let sql = format!(
        "SELECT pubkey, at_slot, {COLUMNS} FROM undo_log WHERE pubkey IN (
             SELECT pubkey FROM undo_log WHERE at_slot IN (SELECT value FROM json_each(?1))
         )"
    );
    let mut log = Log::new();
    let mut select = tx.prepare_cached(&sql)?;
    let mut rows = select.query([slots])?;
    while let Some(r) = rows.next()? {
        log.entry(key_at(r, 0)?).or_default().insert(nat(r, 1)?, image(r, 2)?);
    }
    Ok(log)
}

/// Undoes every write of the `orphaned` slots.
pub fn undo(tx: &Connection, orphaned: &[u64]) -> SqliteResult<Undone> {
    let slots = orphaned.iter().map(|slot| int(*slot)).collect::<SqliteResult<Vec<_>>>()?;
    let slots = serde_json::Value::from(slots).to_string();
    let orphaned: BTreeSet<u64> = orphaned.iter().copied().collect();
    let select = format!("SELECT {COLUMNS} FROM accounts WHERE pubkey = ?1");
    let (mut done, mut deltas) = (Undone::default(), Deltas::default());
    for (pubkey, entries) in log_of(tx, &slots)? {
        let row: Option<Image> = tx
            .prepare_cached(&select)?
            .query_row([pubkey.as_array()], |r| image(r, 0))
            .optional()?
            .flatten();
        let unwound = unwind(row.as_ref(), &entries, &orphaned);
        for (slot, earlier) in &unwound.inherit {
            put(tx, "undo_log", "pubkey = ?12 AND at_slot = ?13", (&pubkey, Some(*slot)), earlier)?;
        }
        let before = row.as_ref().and_then(Image::counted);
        match unwound.row {
            UndoneRow::Unchanged => {}
            UndoneRow::Restored(image) => {
                deltas.shift(before.as_ref(), image.counted().as_ref());
                let image = Some(*image);
                put(tx, "accounts", "pubkey = ?12 AND ?13 IS NULL", (&pubkey, None), &image)?;
                done.restored = done.restored.saturating_add(1);
            }
            UndoneRow::Removed => {
                deltas.shift(before.as_ref(), None);
                tx.prepare_cached("DELETE FROM accounts WHERE pubkey = ?1")?
                    .execute([pubkey.as_array()])?;
                done.removed = done.removed.saturating_add(1);
            }
        }
    }
    tx.prepare_cached("DELETE FROM undo_log WHERE at_slot IN (SELECT value FROM json_each(?1))")?
        .execute([slots])?;
    shift(tx, &deltas)?;
    done.rev = revise(tx, done.restored > 0 || done.removed > 0)?;
    Ok(done)
}

/// Sets every column of the row of `table` that the condition `which` selects.
fn put(
    tx: &Connection,
    table: &str,
    which: &str,
    (pubkey, slot): (&Pubkey, Option<u64>),
    image: &Option<Image>,
) -> SqliteResult<()> {
    let sql = format!(
        "UPDATE {table} SET kind = ?1, program = ?2, proposal = ?3, account = ?4, status = ?5,
             version = ?6, data_hash = ?7, raw = ?8, slot = ?9, write_version = ?10, closed_slot = ?11
         WHERE {which}"
    );
    let i = image.as_ref();
    let key =
        |of: fn(&Image) -> &Option<Pubkey>| i.and_then(|i| of(i).as_ref()).map(Pubkey::as_array);
    tx.prepare_cached(&sql)?.execute(params![
        i.map(|i| &i.kind),
        key(|i| &i.program),
        key(|i| &i.proposal),
        key(|i| &i.account),
        i.and_then(|i| i.status.as_ref()),
        i.and_then(|i| i.version),
        i.map(|i| i.data_hash),
        i.map(|i| &i.raw),
        i.map(|i| int(i.slot)).transpose()?,
        i.map(|i| int(i.write_version)).transpose()?,
        i.and_then(|i| i.closed_slot).map(int).transpose()?,
        pubkey.as_array(),
        slot.map(int).transpose()?,
    ])?;
    Ok(())
}
