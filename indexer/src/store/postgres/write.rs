//! What is written, always inside the caller's transaction. Each one first locks the row of
//! `mirror_state`, so that writers of one database follow one another and counters cannot drift.
use std::collections::HashMap;

use solana_pubkey::Pubkey;
use sqlx::PgConnection;

use super::{
    fault::Fault,
    outbox,
    read::{State, bytes, int, key, nat, opt_key, state_of},
};
use crate::{
    announce,
    audit::{AuditEntry, AuditRow, GENESIS},
    store::{
        Announcement, Applied, Batch, Closing, Present, Quarantined, Run, SentRow, StoreError,
        Update,
        merge::{Bounds, Change, Deltas, Known, Plan, is_suspect, newest, plan, tally},
    },
};
use sqlx::Row as _;

type Outcome<T> = Result<T, Fault>;

const LOCK: &str = "SELECT * FROM mirror_state FOR UPDATE";

async fn lock(tx: &mut PgConnection) -> Outcome<State> {
    state_of(&sqlx::query(LOCK).fetch_one(tx).await?)
}

fn raw(k: &Pubkey) -> Vec<u8> {
    k.to_bytes().to_vec()
}

pub async fn begin_run(
    tx: &mut PgConnection,
    program: &Pubkey,
    genesis: &[u8; 32],
    place: &str,
) -> Outcome<Run> {
    let row = sqlx::query(LOCK).fetch_one(&mut *tx).await?;
    let stored = (row.try_get("program_id")?, row.try_get("genesis_hash")?);
    StoreError::check_identity(place, stored, (program, genesis))?;
    let row = sqlx::query(
        "UPDATE mirror_state SET program_id = $1, genesis_hash = $2, run_id = run_id + 1
         RETURNING *",
    )
    .bind(program.as_ref())
    .bind(genesis.as_slice())
    .fetch_one(tx)
    .await?;
    let state = state_of(&row)?;
    let id = u32::try_from(state.run_id)
        .map_err(|_| Fault::Corrupt("its run number is out of range".to_owned()))?;
    Ok(Run { id, snapshot_slot: state.snapshot_slot, root_slot: nat(&row, "root_slot")? })
}

pub async fn apply(tx: &mut PgConnection, batch: Batch) -> Outcome<Applied> {
    let state = lock(tx).await?;
    let (changes, doubled) = newest(batch.updates, batch.closes);
    let known = known(tx, &changes).await?;
    let bounds = Bounds { floor: state.snapshot_slot, root: 0 };
    let plan = plan(bounds, changes, &known);
    upsert(tx, &plan.writes).await?;
    touch(tx, &plan.touches).await?;
    shift(tx, &plan.deltas).await?;
    let moved = quarantine(tx, state.snapshot_slot, &batch.quarantined, &plan).await?;
    if let Some(frontier) = batch.frontier.filter(|f| *f > state.frontier_slot) {
        sqlx::query("UPDATE mirror_state SET frontier_slot = $1")
            .bind(int(frontier)?)
            .execute(&mut *tx)
            .await?;
    }
    let written = u64::try_from(plan.writes.len()).unwrap_or(u64::MAX);
    let rev = revise(tx, &state, written > 0 || moved > 0).await?;
    let stale = plan.stale.saturating_add(doubled);
    Ok(Applied { written, unchanged: plan.unchanged, stale, closed: 0, rev })
}

async fn known(tx: &mut PgConnection, changes: &[Change]) -> Outcome<HashMap<Pubkey, Known>> {
    let keys: Vec<Vec<u8>> = changes.iter().filter_map(Change::pubkey).map(|k| raw(&k)).collect();
    let rows = sqlx::query(
        "SELECT pubkey, slot, wv, closed_slot, data_hash, program, proposal, status, kind
         FROM accounts WHERE pubkey = ANY($1)",
    )
    .bind(keys)
    .fetch_all(tx)
    .await?;
    let mut out = HashMap::with_capacity(rows.len());
    for r in &rows {
        let closed: Option<i64> = r.try_get("closed_slot")?;
        let (kind, status): (&str, Option<&str>) = (r.try_get("kind")?, r.try_get("status")?);
        let known = Known {
            slot: nat(r, "slot")?,
            wv: nat(r, "wv")?,
            closed: closed.is_some(),
            data_hash: bytes(r, "data_hash")?,
            tally: tally(kind, opt_key(r, "program")?, opt_key(r, "proposal")?, status),
        };
        out.insert(key(r, "pubkey")?, known);
    }
    Ok(out)
}

async fn upsert(tx: &mut PgConnection, writes: &[Update]) -> Outcome<()> {
    if writes.is_empty() {
        return Ok(());
    }
    let keys = |of: fn(&Update) -> Option<Pubkey>| -> Vec<Option<Vec<u8>>> {
        writes.iter().map(|u| of(u).as_ref().map(raw)).collect()
    };
    let ints = |of: fn(&Update) -> u64| -> Outcome<Vec<i64>> {
        writes.iter().map(|u| int(of(u))).collect()
    };
    sqlx::query(
        "INSERT INTO accounts (pubkey, kind, program, proposal, account, status, version,
             data_hash, raw, slot, wv)
         SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[],
             $6::text[], $7::int[], $8::bytea[], $9::bytea[], $10::bigint[], $11::bigint[])
         ON CONFLICT (pubkey) DO UPDATE SET kind = excluded.kind, program = excluded.program,
             proposal = excluded.proposal, account = excluded.account, status = excluded.status,
             version = excluded.version, data_hash = excluded.data_hash, raw = excluded.raw,
             slot = excluded.slot, wv = excluded.wv, closed_slot = NULL
         WHERE (excluded.slot, excluded.wv) > (accounts.slot, accounts.wv)",
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
    .bind(ints(|u| u.wv)?)
    .execute(tx)
    .await?;
    Ok(())
}

async fn touch(tx: &mut PgConnection, touches: &[(Pubkey, u64, u64)]) -> Outcome<()> {
    if touches.is_empty() {
        return Ok(());
    }
    let slots = touches.iter().map(|t| int(t.1)).collect::<Outcome<Vec<_>>>()?;
    let orders = touches.iter().map(|t| int(t.2)).collect::<Outcome<Vec<_>>>()?;
    sqlx::query(
        "UPDATE accounts a SET slot = n.slot, wv = n.wv
         FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS n (pubkey, slot, wv)
         WHERE a.pubkey = n.pubkey",
    )
    .bind(touches.iter().map(|t| raw(&t.0)).collect::<Vec<_>>())
    .bind(slots)
    .bind(orders)
    .execute(tx)
    .await?;
    Ok(())
}

async fn shift(tx: &mut PgConnection, deltas: &Deltas) -> Outcome<()> {
    for (program, proposal, by) in deltas.iter() {
        sqlx::query(
            "INSERT INTO progress (program, proposal) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(program.as_ref())
        .bind(proposal.as_ref())
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE progress SET pending = pending + $3[1], migrated = migrated + $3[2],
                 verified = verified + $3[3], restored = restored + $3[4],
                 quarantined = quarantined + $3[5], closed = closed + $3[6]
             WHERE program = $1 AND proposal = $2",
        )
        .bind(program.as_ref())
        .bind(proposal.as_ref())
        .bind(by.as_slice())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Takes readable accounts out of quarantine and puts unreadable ones in; how many rows moved.
async fn quarantine(
    tx: &mut PgConnection,
    floor: u64,
    bad: &[Quarantined],
    plan: &Plan,
) -> Outcome<u64> {
    let slots = plan.readable.iter().map(|r| int(r.1)).collect::<Outcome<Vec<_>>>()?;
    let mut moved = sqlx::query(
        "DELETE FROM quarantine q USING unnest($1::bytea[], $2::bigint[]) AS n (pubkey, slot)
         WHERE q.pubkey = n.pubkey AND q.slot <= n.slot",
    )
    .bind(plan.readable.iter().map(|r| raw(&r.0)).collect::<Vec<_>>())
    .bind(slots)
    .execute(&mut *tx)
    .await?
    .rows_affected();
    for q in bad.iter().filter(|q| q.slot >= floor) {
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
        .bind(q.error.as_str())
        .bind(q.raw.as_slice())
        .execute(&mut *tx)
        .await?;
        moved = moved.saturating_add(done.rows_affected());
    }
    Ok(moved)
}

/// The revision, one higher than in `state` if something `changed`.
async fn revise(tx: &mut PgConnection, state: &State, changed: bool) -> Outcome<u64> {
    if !changed {
        return Ok(state.rev);
    }
    sqlx::query("UPDATE mirror_state SET rev = rev + 1").execute(tx).await?;
    Ok(state.rev.saturating_add(1))
}

pub async fn tombstone_missing(
    tx: &mut PgConnection,
    slot: u64,
    present: &Present,
    trusted: bool,
) -> Outcome<Closing> {
    let state = lock(tx).await?;
    if slot <= state.snapshot_slot {
        return Ok(Closing::Closed(0));
    }
    let rows = sqlx::query(
        "SELECT pubkey, kind, program, proposal, status FROM accounts
         WHERE closed_slot IS NULL AND slot < $1",
    )
    .bind(int(slot)?)
    .fetch_all(&mut *tx)
    .await?;
    let (mut gone, mut deltas) = (vec![], Deltas::default());
    for r in &rows {
        let pubkey = key(r, "pubkey")?;
        if !present.contains(&pubkey) {
            let (kind, status): (&str, Option<&str>) = (r.try_get("kind")?, r.try_get("status")?);
            let tally = tally(kind, opt_key(r, "program")?, opt_key(r, "proposal")?, status);
            deltas.shift(tally.as_ref(), None);
            gone.push(raw(&pubkey));
        }
    }
    let closed = u64::try_from(gone.len()).unwrap_or(u64::MAX);
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM accounts WHERE closed_slot IS NULL")
        .fetch_one(&mut *tx)
        .await?;
    let known = known.unsigned_abs();
    if !trusted && is_suspect(known, closed) {
        return Ok(Closing::Suspect { known });
    }
    if closed > 0 {
        sqlx::query("UPDATE accounts SET closed_slot = $2 WHERE pubkey = ANY($1)")
            .bind(gone)
            .bind(int(slot)?)
            .execute(&mut *tx)
            .await?;
    }
    shift(tx, &deltas).await?;
    let unreadable = sqlx::query("SELECT pubkey FROM quarantine WHERE slot < $1")
        .bind(int(slot)?)
        .fetch_all(&mut *tx)
        .await?;
    let unreadable = unreadable.iter().map(|r| key(r, "pubkey")).collect::<Outcome<Vec<_>>>()?;
    let cleared: Vec<_> = unreadable.iter().filter(|k| !present.contains(k)).map(raw).collect();
    let any_cleared = !cleared.is_empty();
    if any_cleared {
        sqlx::query("DELETE FROM quarantine WHERE pubkey = ANY($1)")
            .bind(cleared)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query(
        "UPDATE mirror_state SET snapshot_slot = greatest(snapshot_slot, $1),
             frontier_slot = greatest(frontier_slot, $1)",
    )
    .bind(int(slot)?)
    .execute(&mut *tx)
    .await?;
    revise(tx, &state, closed > 0 || any_cleared).await?;
    Ok(Closing::Closed(closed))
}

pub async fn append_audit(
    tx: &mut PgConnection,
    entries: &[AuditEntry],
    upto: u64,
) -> Outcome<u64> {
    let state = lock(tx).await?;
    let head = sqlx::query("SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1")
        .fetch_optional(&mut *tx)
        .await?;
    let (mut seq, mut prev) = match &head {
        Some(r) => (nat(r, "seq")?, bytes(r, "hash")?),
        None => (0, GENESIS),
    };
    let mut added = 0u64;
    for entry in entries {
        let there: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM audit_log
             WHERE signature = $1 AND ix_index = $2 AND inner_index = $3)",
        )
        .bind(entry.signature.as_ref())
        .bind(i64::from(entry.ix_index))
        .bind(i64::from(entry.inner_index))
        .fetch_one(&mut *tx)
        .await?;
        if there {
            continue;
        }
        seq = seq.saturating_add(1);
        let row = AuditRow::next(seq, &prev, entry);
        sqlx::query(
            "INSERT INTO audit_log (seq, slot, tx_index, ix_index, inner_index, signature,
                 block_time, kind, actor, subject, payload, prev_hash, hash, row_sum)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(int(seq)?)
        .bind(int(row.slot)?)
        .bind(i64::from(row.tx_index))
        .bind(i64::from(row.ix_index))
        .bind(i64::from(row.inner_index))
        .bind(entry.signature.as_ref())
        .bind(row.time)
        .bind(row.kind.as_str())
        .bind(row.actor.as_ref().map(raw))
        .bind(row.subject.as_ref().map(raw))
        .bind(row.payload.as_slice())
        .bind(row.prev_hash.as_slice())
        .bind(row.hash.as_slice())
        .bind(row.row_sum.as_slice())
        .execute(&mut *tx)
        .await?;
        if let Some(said) = announce::of(&row) {
            outbox::put(&mut *tx, &said).await?;
        }
        prev = row.hash;
        added = added.saturating_add(1);
    }
    sqlx::query("UPDATE mirror_state SET history_slot = greatest(history_slot, $1)")
        .bind(int(upto)?)
        .execute(&mut *tx)
        .await?;
    if added > 0 {
        sqlx::query("UPDATE mirror_state SET audit_seq = $1, audit_head = $2")
            .bind(int(seq)?)
            .bind(prev.as_slice())
            .execute(&mut *tx)
            .await?;
    }
    revise(tx, &state, added > 0).await?;
    Ok(added)
}

/// `words` of a node without NUL, the one character that Postgres takes in no text.
fn text(words: &str) -> String {
    words.replace('\0', "\u{fffd}")
}

pub async fn record_sent(tx: &mut PgConnection, row: &SentRow) -> Outcome<()> {
    let state = lock(tx).await?;
    sqlx::query(
        "INSERT INTO sent (at_ms, verb, proposal, signature, slot, units, bytes, elapsed_ms, error)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(row.at_ms)
    .bind(row.verb.as_str())
    .bind(row.proposal.as_ref().map(raw))
    .bind(row.signature.as_str())
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

pub async fn claim_notice(tx: &mut PgConnection, key: &str) -> Outcome<bool> {
    let done = sqlx::query("INSERT INTO notices (key) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(key)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Numbers are given out in the order of the lock, so that none appears behind a later one.
pub async fn enqueue(tx: &mut PgConnection, said: &Announcement) -> Outcome<bool> {
    lock(tx).await?;
    outbox::put(tx, said).await
}
