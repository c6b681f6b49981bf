//! Writes a batch of the live path inside the caller's transaction. Each step binds arrays, so it is
//! one round trip however many rows. [`crate::store::merge`] decides what a write does to a row.
use std::collections::HashMap;

use solana_pubkey::Pubkey;
use sqlx::{PgConnection, Row as _};

use super::{
    fault::PostgresResult,
    lease::lock_for,
    read::{StoredState, bytes, int, key, nat, opt_key},
};
use crate::{
    account::{Quarantined, Update},
    store::{
        Applied, Batch, Close, Run,
        merge::{Bounds, Change, Deltas, KnownRow, Plan, newest, plan, tally},
    },
};

/// `key` as a bindable byte string.
pub fn raw(key: &Pubkey) -> Vec<u8> {
    key.to_bytes().to_vec()
}

/// Writes the states and closes that are newer than the stored rows, with counters and frontier.
pub async fn apply(tx: &mut PgConnection, run: &Run, batch: Batch) -> PostgresResult<Applied> {
    let state = lock_for(tx, run).await?;
    let (changes, doubled) = newest(batch.updates, batch.closes);
    let known = known(tx, &changes).await?;
    let bounds = Bounds { floor: state.snapshot_slot, root: state.root_slot };
    let plan = plan(bounds, changes, &known);
    log_for_undo(tx, &plan.keep).await?;
    upsert(tx, &plan.writes).await?;
    touch(tx, &plan.touches).await?;
    log_for_undo(tx, &plan.keep_then).await?;
    close(tx, &plan.closes).await?;
    shift(tx, &plan.deltas).await?;
    let moved = quarantine(tx, state.snapshot_slot, &batch.quarantined, &plan).await?;
    let written = u64::try_from(plan.writes.len()).unwrap_or(u64::MAX);
    let changed = written > 0 || plan.closed > 0 || moved > 0;
    let rev = mark(tx, &state, batch.frontier, changed).await?;
    Ok(Applied {
        written,
        unchanged: plan.unchanged,
        stale: plan.stale.saturating_add(doubled),
        closed: plan.closed,
        rev,
    })
}

async fn known(
    tx: &mut PgConnection,
    changes: &[Change],
) -> PostgresResult<HashMap<Pubkey, KnownRow>> {
    let keys: Vec<Vec<u8>> = changes.iter().filter_map(Change::pubkey).map(|k| raw(&k)).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query(
        "SELECT pubkey, slot, write_version, closed_slot, data_hash, program, proposal, status, kind
         FROM accounts WHERE pubkey = ANY($1)",
    )
    .bind(keys)
    .fetch_all(tx)
    .await?;
    let mut out = HashMap::with_capacity(rows.len());
    for r in &rows {
        let closed: Option<i64> = r.try_get("closed_slot")?;
        let (kind, status): (&str, Option<&str>) = (r.try_get("kind")?, r.try_get("status")?);
        let known = KnownRow {
            slot: nat(r, "slot")?,
            write_version: nat(r, "write_version")?,
            closed: closed.is_some(),
            data_hash: bytes(r, "data_hash")?,
            tally: tally(kind, opt_key(r, "program")?, opt_key(r, "proposal")?, status),
        };
        out.insert(key(r, "pubkey")?, known);
    }
    Ok(out)
}

/// Copies the rows of `accounts` into the undo log before the caller overwrites them; an account
/// without a row gets an entry with nulls. An entry that the slot already has stays: it is older, from
/// before the slot's first write.
async fn log_for_undo(tx: &mut PgConnection, accounts: &[(u64, Pubkey)]) -> PostgresResult<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO undo_log (at_slot, pubkey, kind, program, proposal, account, status, version,
             data_hash, raw, slot, write_version, closed_slot)
         SELECT n.at_slot, n.pubkey, a.kind, a.program, a.proposal, a.account, a.status, a.version,
             a.data_hash, a.raw, a.slot, a.write_version, a.closed_slot
         FROM unnest($1::bigint[], $2::bytea[]) AS n (at_slot, pubkey)
         LEFT JOIN accounts a ON a.pubkey = n.pubkey
         ON CONFLICT (at_slot, pubkey) DO NOTHING",
    )
    .bind(accounts.iter().map(|(slot, _)| int(*slot)).collect::<PostgresResult<Vec<_>>>()?)
    .bind(accounts.iter().map(|(_, pubkey)| raw(pubkey)).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

async fn upsert(tx: &mut PgConnection, writes: &[Update]) -> PostgresResult<()> {
    if writes.is_empty() {
        return Ok(());
    }
    let keys = |of: fn(&Update) -> Option<Pubkey>| -> Vec<Option<Vec<u8>>> {
        writes.iter().map(|u| of(u).as_ref().map(raw)).collect()
    };
    let ints = |of: fn(&Update) -> u64| -> PostgresResult<Vec<i64>> {
        writes.iter().map(|u| int(of(u))).collect()
    };
    sqlx::query(
        "INSERT INTO accounts (pubkey, kind, program, proposal, account, status, version,
             data_hash, raw, slot, write_version)
         SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[],
             $6::text[], $7::int[], $8::bytea[], $9::bytea[], $10::bigint[], $11::bigint[])
         ON CONFLICT (pubkey) DO UPDATE SET kind = excluded.kind, program = excluded.program,
             proposal = excluded.proposal, account = excluded.account, status = excluded.status,
             version = excluded.version, data_hash = excluded.data_hash, raw = excluded.raw,
             slot = excluded.slot, write_version = excluded.write_version, closed_slot = NULL
         WHERE (excluded.slot, excluded.write_version) > (accounts.slot, accounts.write_version)",
    )
    .bind(writes.iter().map(|u| raw(&u.pubkey)).collect::<Vec<_>>())
    .bind(writes.iter().map(|u| u.facets.kind.name()).collect::<Vec<_>>())
    .bind(keys(|u| u.facets.program))
    .bind(keys(|u| u.facets.proposal))
    .bind(keys(|u| u.facets.account))
    .bind(writes.iter().map(|u| u.facets.status).collect::<Vec<_>>())
    .bind(writes.iter().map(|u| u.facets.version.map(i32::from)).collect::<Vec<_>>())
    .bind(writes.iter().map(|u| u.data_hash.to_vec()).collect::<Vec<_>>())
    .bind(writes.iter().map(|u| u.raw.as_slice()).collect::<Vec<_>>())
    .bind(ints(|u| u.slot)?)
    .bind(ints(|u| u.write_version)?)
    .execute(tx)
    .await?;
    Ok(())
}

async fn touch(tx: &mut PgConnection, touches: &[(Pubkey, u64, u64)]) -> PostgresResult<()> {
    if touches.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE accounts a SET slot = n.slot, write_version = n.write_version
         FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS n (pubkey, slot, write_version)
         WHERE a.pubkey = n.pubkey",
    )
    .bind(touches.iter().map(|t| raw(&t.0)).collect::<Vec<_>>())
    .bind(touches.iter().map(|t| int(t.1)).collect::<PostgresResult<Vec<_>>>()?)
    .bind(touches.iter().map(|t| int(t.2)).collect::<PostgresResult<Vec<_>>>()?)
    .execute(tx)
    .await?;
    Ok(())
}

async fn close(tx: &mut PgConnection, closes: &[Close]) -> PostgresResult<()> {
    if closes.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE accounts a SET slot = n.slot, write_version = n.write_version, closed_slot = n.slot
         FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS n (pubkey, slot, write_version)
         WHERE a.pubkey = n.pubkey",
    )
    .bind(closes.iter().map(|c| raw(&c.pubkey)).collect::<Vec<_>>())
    .bind(closes.iter().map(|c| int(c.slot)).collect::<PostgresResult<Vec<_>>>()?)
    .bind(closes.iter().map(|c| int(c.write_version)).collect::<PostgresResult<Vec<_>>>()?)
    .execute(tx)
    .await?;
    Ok(())
}

/// Adds `deltas` to the counters.
pub async fn shift(tx: &mut PgConnection, deltas: &Deltas) -> PostgresResult<()> {
    let (mut programs, mut proposals, mut by) = (vec![], vec![], [const { vec![] }; 6]);
    for (program, proposal, change) in deltas.iter() {
        programs.push(raw(program));
        proposals.push(raw(proposal));
        by.iter_mut().zip(change).for_each(|(column, n)| column.push(*n));
    }
    if programs.is_empty() {
        return Ok(());
    }
    // Not one upsert: its INSERT part would carry negative deltas, which the table's check refuses
    // even where the row exists.
    sqlx::query(
        "INSERT INTO progress (program, proposal)
         SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING",
    )
    .bind(&programs)
    .bind(&proposals)
    .execute(&mut *tx)
    .await?;
    let [pending, migrated, verified, restored, quarantined, closed] = by;
    sqlx::query(
        "UPDATE progress p SET pending = p.pending + n.pending, migrated = p.migrated + n.migrated,
             verified = p.verified + n.verified, restored = p.restored + n.restored,
             quarantined = p.quarantined + n.quarantined, closed = p.closed + n.closed
         FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[],
             $6::bigint[], $7::bigint[], $8::bigint[]) AS n (program, proposal, pending, migrated,
             verified, restored, quarantined, closed)
         WHERE p.program = n.program AND p.proposal = n.proposal",
    )
    .bind(programs)
    .bind(proposals)
    .bind(pending)
    .bind(migrated)
    .bind(verified)
    .bind(restored)
    .bind(quarantined)
    .bind(closed)
    .execute(tx)
    .await?;
    Ok(())
}

/// Removes readable and closed accounts from quarantine and inserts undecodable ones; returns how many
/// rows changed.
async fn quarantine(
    tx: &mut PgConnection,
    floor: u64,
    bad: &[Quarantined],
    plan: &Plan,
) -> PostgresResult<u64> {
    let mut moved = 0;
    let any: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM quarantine)").fetch_one(&mut *tx).await?;
    if any && !plan.readable.is_empty() {
        moved = sqlx::query(
            "DELETE FROM quarantine q USING unnest($1::bytea[], $2::bigint[]) AS n (pubkey, slot)
             WHERE q.pubkey = n.pubkey AND q.slot <= n.slot",
        )
        .bind(plan.readable.iter().map(|r| raw(&r.0)).collect::<Vec<_>>())
        .bind(plan.readable.iter().map(|r| int(r.1)).collect::<PostgresResult<Vec<_>>>()?)
        .execute(&mut *tx)
        .await?
        .rows_affected();
    }
    for q in bad.iter().filter(|q| q.slot >= floor) {
        let put = set_aside(tx, q).await?;
        moved = moved.saturating_add(put);
    }
    Ok(moved)
}

/// Puts an undecodable account into quarantine, unless a later state was readable.
pub async fn set_aside(tx: &mut PgConnection, q: &Quarantined) -> PostgresResult<u64> {
    let done = sqlx::query(
        "INSERT INTO quarantine (pubkey, slot, owner, error, raw)
         SELECT $1, $2, $3, $4, $5
         WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE pubkey = $1 AND slot > $2)
         ON CONFLICT (pubkey) DO UPDATE SET slot = excluded.slot, owner = excluded.owner,
             error = excluded.error, raw = excluded.raw
         WHERE excluded.slot > quarantine.slot AND excluded.raw <> quarantine.raw",
    )
    .bind(q.pubkey.as_ref())
    .bind(int(q.slot)?)
    .bind(q.owner.as_ref())
    .bind(text(&q.error))
    .bind(q.raw.as_slice())
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}

/// `words` with NUL replaced: Postgres refuses that one character in text, and this text is foreign.
pub fn text(words: &str) -> String {
    words.replace('\0', "\u{fffd}")
}

/// Raises the frontier, and the revision if something `changed`; returns the revision.
async fn mark(
    tx: &mut PgConnection,
    state: &StoredState,
    frontier: Option<u64>,
    changed: bool,
) -> PostgresResult<u64> {
    let frontier = frontier.filter(|slot| *slot > state.frontier_slot);
    if frontier.is_some() || changed {
        sqlx::query(
            "UPDATE mirror_state SET frontier_slot = greatest(frontier_slot, $1), rev = rev + $2",
        )
        .bind(frontier.map(int).transpose()?)
        .bind(i64::from(changed))
        .execute(tx)
        .await?;
    }
    Ok(state.rev.saturating_add(u64::from(changed)))
}

/// Raises the revision if something `changed`; returns it.
pub async fn revise(
    tx: &mut PgConnection,
    state: &StoredState,
    changed: bool,
) -> PostgresResult<u64> {
    mark(tx, state, None, changed).await
}
