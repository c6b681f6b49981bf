//! Reads of the Postgres store. The caller opens the transaction.
use std::{collections::BTreeMap, time::Duration};

use solana_pubkey::Pubkey;
use solana_signature::Signature;
use sqlx::{AssertSqlSafe, PgConnection, Row as _, postgres::PgRow};
use upgrade_manager::state::AccountVersion;

use super::fault::{PostgresFault, PostgresResult};
use crate::{
    account::Quarantined,
    store::{
        Lease, MirrorState, ProgressRow, RawRow, RecordQuery, Row, SentRow, View,
        audit_log::{AuditRow, event::describe},
        merge::{Stored, progress_row, records, view as assemble},
    },
};

/// Advisory lock of the first load: the loader takes it exclusively until it commits; a reader tries
/// it shared to learn whether a load is running, see [`is_filling`].
pub const FILL_LOCK: i64 = 0x7570_6772_6164_6531;

/// `n` as the `bigint` that Postgres stores.
pub fn int(n: u64) -> PostgresResult<i64> {
    i64::try_from(n).map_err(|_| PostgresFault::Corrupt(format!("the number {n} is out of range")))
}

/// The number in `column`; a negative one is an error.
pub fn nat(r: &PgRow, column: &str) -> PostgresResult<u64> {
    let n: i64 = r.try_get(column)?;
    u64::try_from(n).map_err(|_| PostgresFault::Corrupt(format!("{column} is {n}")))
}

/// The number in `column`, which may be null.
pub fn opt_nat(r: &PgRow, column: &str) -> PostgresResult<Option<u64>> {
    let n: Option<i64> = r.try_get(column)?;
    Ok(n.map(i64::unsigned_abs))
}

pub fn small(r: &PgRow, column: &str) -> PostgresResult<u32> {
    let n: i64 = r.try_get(column)?;
    u32::try_from(n).map_err(|_| PostgresFault::Corrupt(format!("{column} is {n}")))
}

/// The 32 or 64 bytes in `column`.
pub fn bytes<const N: usize>(r: &PgRow, column: &str) -> PostgresResult<[u8; N]> {
    let bytes: &[u8] = r.try_get(column)?;
    <[u8; N]>::try_from(bytes)
        .map_err(|_| PostgresFault::Corrupt(format!("{column} has {} bytes, not {N}", bytes.len())))
}

/// The address in `column`.
pub fn key(r: &PgRow, column: &str) -> PostgresResult<Pubkey> {
    bytes(r, column).map(Pubkey::new_from_array)
}

/// The address in `column`, which may be null.
pub fn opt_key(r: &PgRow, column: &str) -> PostgresResult<Option<Pubkey>> {
    let found: Option<&[u8]> = r.try_get(column)?;
    found.map(|_| key(r, column)).transpose()
}

/// The columns of `mirror_state` that writes depend on.
#[derive(Clone, Copy)]
pub struct StoredState {
    pub run_id: u64,
    pub frontier_slot: u64,
    pub snapshot_slot: u64,
    pub root_slot: u64,
    pub rev: u64,
}

pub fn state_of(r: &PgRow) -> PostgresResult<StoredState> {
    Ok(StoredState {
        run_id: nat(r, "run_id")?,
        frontier_slot: nat(r, "frontier_slot")?,
        snapshot_slot: nat(r, "snapshot_slot")?,
        root_slot: nat(r, "root_slot")?,
        rev: nat(r, "rev")?,
    })
}

pub async fn state(tx: &mut PgConnection) -> PostgresResult<StoredState> {
    state_of(&sqlx::query("SELECT * FROM mirror_state").fetch_one(tx).await?)
}

pub async fn mirror_state(tx: &mut PgConnection) -> PostgresResult<MirrorState> {
    let r = &sqlx::query(
        "SELECT *, lease_until - (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS lease_left
         FROM mirror_state",
    )
    .fetch_one(tx)
    .await?;
    let opt_hash = |column: &str| -> PostgresResult<Option<[u8; 32]>> {
        let found: Option<&[u8]> = r.try_get(column)?;
        found.map(|_| bytes(r, column)).transpose()
    };
    let owner: Option<String> = r.try_get("lease_owner")?;
    let left: i64 = r.try_get("lease_left")?;
    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
    Ok(MirrorState {
        program_id: opt_key(r, "program_id")?,
        genesis_hash: opt_hash("genesis_hash")?,
        run_id: small(r, "run_id")?,
        frontier_slot: nat(r, "frontier_slot")?,
        root_slot: nat(r, "root_slot")?,
        confirmed_slot: nat(r, "confirmed_slot")?,
        snapshot_slot: nat(r, "snapshot_slot")?,
        history_slot: nat(r, "history_slot")?,
        audit_seq: nat(r, "audit_seq")?,
        audit_head: opt_hash("audit_head")?,
        rev: nat(r, "rev")?,
        lease: owner.map(|owner| Lease { owner, left }),
    })
}

/// Whether the first load is running. It holds an exclusive lock on the table, so a reader would wait
/// minutes to find the mirror empty; readers ask here first and answer "empty" at once.
pub async fn is_filling(tx: &mut PgConnection) -> PostgresResult<bool> {
    let row = sqlx::query(
        "SELECT snapshot_slot = 0 AND NOT pg_try_advisory_xact_lock_shared($1) FROM mirror_state",
    )
    .bind(FILL_LOCK)
    .fetch_one(tx)
    .await?;
    Ok(row.try_get(0)?)
}

fn stored(r: &PgRow) -> PostgresResult<Stored> {
    Ok(Stored {
        pubkey: key(r, "pubkey")?,
        raw: r.try_get("raw")?,
        slot: nat(r, "slot")?,
        closed_slot: opt_nat(r, "closed_slot")?,
    })
}

pub async fn view(tx: &mut PgConnection) -> PostgresResult<View> {
    let filling = is_filling(tx).await?;
    let rows = if filling {
        vec![]
    } else {
        sqlx::query(
            "SELECT pubkey, raw, slot, closed_slot FROM accounts
             WHERE kind <> 'AccountVersion' AND kind <> 'AccountBackup' ORDER BY kind, pubkey",
        )
        .fetch_all(&mut *tx)
        .await?
    };
    let rows = rows.iter().map(stored).collect::<PostgresResult<Vec<_>>>()?;
    let mut view = assemble(rows, &progress(tx, false).await?).map_err(PostgresFault::Corrupt)?;
    let state = state(tx).await?;
    (view.frontier, view.rev) = (state.frontier_slot, state.rev);
    Ok(view)
}

/// The number by which the index `accounts_version` orders records, see the migrations: two bytes
/// of the program, then the first four of the address.
const PLACE: &str = "((get_byte(program, 30)::bigint << 40) | (get_byte(program, 31)::bigint << 32)
    | (get_byte(pubkey, 0)::bigint << 24) | (get_byte(pubkey, 1) << 16)
    | (get_byte(pubkey, 2) << 8) | get_byte(pubkey, 3))";

/// The numbers of the records of `program` from the address `from` on.
fn places(program: &Pubkey, from: Option<Pubkey>) -> (i64, i64) {
    let [.., high, low] = program.to_bytes();
    let common = i64::from(u16::from_be_bytes([high, low])) << 32;
    let [a, b, c, d, ..] = from.unwrap_or_default().to_bytes();
    (common | i64::from(u32::from_be_bytes([a, b, c, d])), common | i64::from(u32::MAX))
}

pub async fn account_versions(
    tx: &mut PgConnection,
    program: &Pubkey,
    query: &RecordQuery,
) -> PostgresResult<Vec<Row<AccountVersion>>> {
    if is_filling(tx).await? {
        return Ok(vec![]);
    }
    // The counters say when there is no such record; then the index over a million rows is not
    // scanned for it.
    if let Some(status) = query.status {
        let none = |(key, row): (&(Pubkey, Pubkey), &mut ProgressRow)| {
            key.0 != *program || *row.slot(status) == 0
        };
        if progress(tx, false).await?.iter_mut().all(none) {
            return Ok(vec![]);
        }
    }
    let at = if query.status.is_some() { "AND status = $6" } else { "" };
    let sql = format!(
        "SELECT pubkey, raw, slot, closed_slot FROM accounts
         WHERE kind = 'AccountVersion' AND closed_slot IS NULL AND program = $1 AND pubkey > $2
             AND {PLACE} BETWEEN $3 AND $4 {at} ORDER BY {PLACE}, pubkey LIMIT $5"
    );
    let (low, high) = places(program, query.after);
    let mut rows = sqlx::query(AssertSqlSafe(sql))
        .bind(program.as_ref())
        .bind(query.after.map(|k| k.to_bytes().to_vec()).unwrap_or_default())
        .bind(low)
        .bind(high)
        .bind(i64::from(query.limit));
    if let Some(status) = query.status {
        rows = rows.bind(status.name());
    }
    let rows = rows.fetch_all(tx).await?;
    records(rows.iter().map(stored).collect::<PostgresResult<_>>()?).map_err(PostgresFault::Corrupt)
}

pub async fn rows(
    tx: &mut PgConnection,
    after: Option<Pubkey>,
    limit: u32,
) -> PostgresResult<Vec<RawRow>> {
    if is_filling(tx).await? {
        return Ok(vec![]);
    }
    let rows = sqlx::query(
        "SELECT pubkey, raw, slot FROM accounts
         WHERE closed_slot IS NULL AND pubkey > $1 ORDER BY pubkey LIMIT $2",
    )
    .bind(after.map(|k| k.to_bytes().to_vec()).unwrap_or_default())
    .bind(i64::from(limit))
    .fetch_all(tx)
    .await?;
    let row = |r: &PgRow| {
        Ok(RawRow { pubkey: key(r, "pubkey")?, raw: r.try_get("raw")?, slot: nat(r, "slot")? })
    };
    rows.iter().map(row).collect()
}

pub async fn progress(
    tx: &mut PgConnection,
    recount: bool,
) -> PostgresResult<BTreeMap<(Pubkey, Pubkey), ProgressRow>> {
    if recount && is_filling(tx).await? {
        return Ok(BTreeMap::new());
    }
    let sql = if recount {
        "SELECT program, proposal,
             count(*) FILTER (WHERE status = 'Pending') AS pending,
             count(*) FILTER (WHERE status = 'Migrated') AS migrated,
             count(*) FILTER (WHERE status = 'Verified') AS verified,
             count(*) FILTER (WHERE status = 'Restored') AS restored,
             count(*) FILTER (WHERE status = 'Quarantined') AS quarantined,
             count(*) FILTER (WHERE status = 'Closed') AS closed
         FROM accounts WHERE kind = 'AccountVersion' AND closed_slot IS NULL
         GROUP BY program, proposal"
    } else {
        "SELECT * FROM progress"
    };
    let mut out = BTreeMap::new();
    for r in &sqlx::query(sql).fetch_all(tx).await? {
        let row = progress_row([
            nat(r, "pending")?,
            nat(r, "migrated")?,
            nat(r, "verified")?,
            nat(r, "restored")?,
            nat(r, "quarantined")?,
            nat(r, "closed")?,
        ]);
        if row != ProgressRow::default() {
            out.insert((key(r, "program")?, key(r, "proposal")?), row);
        }
    }
    Ok(out)
}

pub async fn quarantined(tx: &mut PgConnection) -> PostgresResult<Vec<Quarantined>> {
    let rows = sqlx::query("SELECT * FROM quarantine ORDER BY pubkey").fetch_all(tx).await?;
    let row = |r: &PgRow| {
        Ok(Quarantined {
            pubkey: key(r, "pubkey")?,
            slot: nat(r, "slot")?,
            owner: key(r, "owner")?,
            error: r.try_get("error")?,
            raw: r.try_get("raw")?,
        })
    };
    rows.iter().map(row).collect()
}

pub async fn audit(
    tx: &mut PgConnection,
    after_seq: Option<u64>,
    limit: u32,
) -> PostgresResult<Vec<AuditRow>> {
    let sql = match after_seq {
        Some(_) => "SELECT * FROM audit_log WHERE seq > $1 ORDER BY seq LIMIT $2",
        None => {
            "SELECT * FROM (SELECT * FROM audit_log WHERE seq > $1 ORDER BY seq DESC LIMIT $2) n
             ORDER BY seq"
        }
    };
    let rows = sqlx::query(sql)
        .bind(int(after_seq.unwrap_or(0))?)
        .bind(i64::from(limit))
        .fetch_all(tx)
        .await?;
    let row = |r: &PgRow| {
        let payload: Vec<u8> = r.try_get("payload")?;
        Ok(AuditRow {
            seq: nat(r, "seq")?,
            slot: nat(r, "slot")?,
            tx_index: small(r, "tx_index")?,
            ix_index: small(r, "ix_index")?,
            inner_index: small(r, "inner_index")?,
            signature: Signature::from(bytes::<64>(r, "signature")?).to_string(),
            time: r.try_get("block_time")?,
            kind: r.try_get("kind")?,
            actor: opt_key(r, "actor")?,
            subject: opt_key(r, "subject")?,
            detail: describe(&payload).detail,
            payload,
            prev_hash: bytes(r, "prev_hash")?,
            hash: bytes(r, "hash")?,
            row_checksum: bytes(r, "row_checksum")?,
        })
    };
    rows.iter().map(row).collect()
}

pub async fn sent(tx: &mut PgConnection, limit: u32) -> PostgresResult<Vec<SentRow>> {
    let rows = sqlx::query("SELECT * FROM sent ORDER BY id DESC LIMIT $1")
        .bind(i64::from(limit))
        .fetch_all(tx)
        .await?;
    let row = |r: &PgRow| {
        Ok(SentRow {
            at_ms: r.try_get("at_ms")?,
            verb: r.try_get("verb")?,
            proposal: opt_key(r, "proposal")?,
            signature: r.try_get("signature")?,
            slot: nat(r, "slot")?,
            units: opt_nat(r, "units")?,
            bytes: nat(r, "bytes")?,
            elapsed_ms: nat(r, "elapsed_ms")?,
            error: r.try_get("error")?,
        })
    };
    rows.iter().map(row).collect()
}
