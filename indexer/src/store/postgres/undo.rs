//! Undoes writes of orphaned slots. [`crate::store::merge`] decides what becomes of each account; this
//! file reads and writes its row and its undo log, one page of accounts at a time, in one transaction.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use solana_pubkey::Pubkey;
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{
    fault::{PostgresFault, PostgresResult},
    lease::lock_for,
    live::{raw, revise, shift},
    read::{bytes, int, key, nat, opt_key, opt_nat},
};
use crate::store::{
    Run, Undone,
    merge::{Deltas, Image, UndoneRow, unwind},
};

/// Accounts that one page undoes.
const PAGE_ROWS: i64 = 1_000;

/// The slots up to `upto` that have entries in the undo log, ascending.
pub async fn slots(tx: &mut PgConnection, upto: u64) -> PostgresResult<Vec<u64>> {
    let rows =
        sqlx::query("SELECT DISTINCT at_slot FROM undo_log WHERE at_slot <= $1 ORDER BY at_slot")
            .bind(int(upto)?)
            .fetch_all(tx)
            .await?;
    rows.iter().map(|r| nat(r, "at_slot")).collect()
}

/// Undoes every write of the `orphaned` slots.
pub async fn undo(tx: &mut PgConnection, run: &Run, orphaned: &[u64]) -> PostgresResult<Undone> {
    let state = lock_for(tx, run).await?;
    let slots: BTreeSet<u64> = orphaned.iter().copied().collect();
    let numbers = slots.iter().map(|slot| int(*slot)).collect::<PostgresResult<Vec<_>>>()?;
    let mut all = Work::default();
    let mut after = vec![];
    loop {
        let touched = sqlx::query(
            "SELECT DISTINCT pubkey FROM undo_log WHERE at_slot = ANY($1) AND pubkey > $2
             ORDER BY pubkey LIMIT $3",
        )
        .bind(&numbers)
        .bind(&after)
        .bind(PAGE_ROWS)
        .fetch_all(&mut *tx)
        .await?;
        let keys = touched.iter().map(|r| key(r, "pubkey")).collect::<PostgresResult<Vec<_>>>()?;
        let Some(last) = keys.last() else { break };
        after = raw(last);
        let work = page(tx, &keys, &slots).await?;
        all.restored = all.restored.saturating_add(work.restored);
        all.removed = all.removed.saturating_add(work.removed);
        shift(tx, &work.deltas).await?;
    }
    sqlx::query("DELETE FROM undo_log WHERE at_slot = ANY($1)")
        .bind(numbers)
        .execute(&mut *tx)
        .await?;
    let rev = revise(tx, &state, all.restored > 0 || all.removed > 0).await?;
    Ok(Undone { restored: all.restored, removed: all.removed, rev })
}

#[derive(Default)]
struct Work {
    restored: u64,
    removed: u64,
    deltas: Deltas,
}

async fn page(
    tx: &mut PgConnection,
    keys: &[Pubkey],
    orphaned: &BTreeSet<u64>,
) -> PostgresResult<Work> {
    let bound: Vec<Vec<u8>> = keys.iter().map(raw).collect();
    let mut rows: HashMap<Pubkey, Image> = HashMap::new();
    let found = sqlx::query("SELECT * FROM accounts WHERE pubkey = ANY($1)").bind(&bound);
    for r in &found.fetch_all(&mut *tx).await? {
        let pubkey = key(r, "pubkey")?;
        rows.extend(image(r)?.map(|image| (pubkey, image)));
    }
    let mut entries: BTreeMap<Pubkey, BTreeMap<u64, Option<Image>>> = BTreeMap::new();
    let found = sqlx::query("SELECT * FROM undo_log WHERE pubkey = ANY($1)").bind(&bound);
    for r in &found.fetch_all(&mut *tx).await? {
        entries.entry(key(r, "pubkey")?).or_default().insert(nat(r, "at_slot")?, image(r)?);
    }
    let mut work = Work::default();
    let (mut restored, mut removed, mut inherited) = (vec![], vec![], vec![]);
    for (pubkey, entries) in &entries {
        let row = rows.get(pubkey);
        let counted = row.and_then(Image::counted);
        let unwound = unwind(row, entries, orphaned);
        inherited.extend(unwound.inherit.into_iter().map(|(slot, kept)| (slot, *pubkey, kept)));
        match unwound.row {
            UndoneRow::Unchanged => {}
            UndoneRow::Restored(image) => {
                work.deltas.shift(counted.as_ref(), image.counted().as_ref());
                work.restored = work.restored.saturating_add(1);
                restored.push((*pubkey, *image));
            }
            UndoneRow::Removed => {
                work.deltas.shift(counted.as_ref(), None);
                work.removed = work.removed.saturating_add(1);
                removed.push(raw(pubkey));
            }
        }
    }
    for (pubkey, image) in &restored {
        restore(tx, pubkey, image).await?;
    }
    if !removed.is_empty() {
        sqlx::query("DELETE FROM accounts WHERE pubkey = ANY($1)")
            .bind(removed)
            .execute(&mut *tx)
            .await?;
    }
    for (slot, pubkey, kept) in &inherited {
        inherit(tx, *slot, pubkey, kept.as_ref()).await?;
    }
    Ok(work)
}

/// The row in `r`; [`None`] for an undo-log entry that records "no row".
fn image(r: &PgRow) -> PostgresResult<Option<Image>> {
    let kind: Option<String> = r.try_get("kind")?;
    let Some(kind) = kind else { return Ok(None) };
    let version: Option<i32> = r.try_get("version")?;
    let version = version.map(u16::try_from).transpose();
    Ok(Some(Image {
        kind,
        program: opt_key(r, "program")?,
        proposal: opt_key(r, "proposal")?,
        account: opt_key(r, "account")?,
        status: r.try_get("status")?,
        version: version
            .map_err(|_| PostgresFault::Corrupt("a version is out of range".to_owned()))?,
        data_hash: bytes(r, "data_hash")?,
        raw: r.try_get("raw")?,
        slot: nat(r, "slot")?,
        write_version: nat(r, "write_version")?,
        closed_slot: opt_nat(r, "closed_slot")?,
    }))
}

async fn restore(tx: &mut PgConnection, pubkey: &Pubkey, image: &Image) -> PostgresResult<()> {
    let done = sqlx::query(
        "UPDATE accounts SET kind = $3, program = $4, proposal = $5, account = $6, status = $7,
             version = $8, data_hash = $9, raw = $10, slot = $11, write_version = $12, closed_slot = $13
         WHERE pubkey = $2 AND $1::bigint IS NOT NULL",
    );
    bind(done, image.slot, pubkey, Some(image))?.execute(tx).await?;
    Ok(())
}

async fn inherit(
    tx: &mut PgConnection,
    slot: u64,
    pubkey: &Pubkey,
    kept: Option<&Image>,
) -> PostgresResult<()> {
    let done = sqlx::query(
        "UPDATE undo_log SET kind = $3, program = $4, proposal = $5, account = $6, status = $7,
             version = $8, data_hash = $9, raw = $10, slot = $11, write_version = $12, closed_slot = $13
         WHERE at_slot = $1 AND pubkey = $2",
    );
    bind(done, slot, pubkey, kept)?.execute(tx).await?;
    Ok(())
}

type Statement = sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// Binds slot, address and the columns of `image`, which are null for [`None`].
fn bind(
    statement: Statement,
    slot: u64,
    pubkey: &Pubkey,
    image: Option<&Image>,
) -> PostgresResult<Statement> {
    let number = |of: fn(&Image) -> Option<u64>| image.and_then(of).map(int).transpose();
    let address = |of: fn(&Image) -> Option<Pubkey>| image.and_then(of).as_ref().map(raw);
    Ok(statement
        .bind(int(slot)?)
        .bind(raw(pubkey))
        .bind(image.map(|i| i.kind.clone()))
        .bind(address(|i| i.program))
        .bind(address(|i| i.proposal))
        .bind(address(|i| i.account))
        .bind(image.and_then(|i| i.status.clone()))
        .bind(image.and_then(|i| i.version).map(i32::from))
        .bind(image.map(|i| i.data_hash.to_vec()))
        .bind(image.map(|i| i.raw.clone()))
        .bind(number(|i| Some(i.slot))?)
        .bind(number(|i| Some(i.write_version))?)
        .bind(number(|i| i.closed_slot)?))
}
