//! Appends to the audit log and puts the announcements of the new events into the outbox. The head of
//! the hash chain comes from `mirror_state`, not from the newest row: otherwise a deleted tail would be
//! continued without a gap, and nobody would notice.
use std::collections::HashSet;

use sqlx::{PgConnection, Row as _};

use super::{
    fault::PostgresResult,
    lease::lock_for,
    live::{raw, revise},
    outbox,
    read::{bytes, int, nat},
};
use crate::store::{
    Run, announcement,
    audit_log::{AuditEntry, AuditRow, GENESIS},
};

/// Identifies an event: signature, outer and inner instruction index.
type EventPlace = ([u8; 64], i64, i64);

fn place(entry: &AuditEntry) -> EventPlace {
    (entry.signature.into(), i64::from(entry.ix_index), i64::from(entry.inner_index))
}

/// Appends the entries that the log lacks and moves the history mark; returns how many were new.
pub async fn append(
    tx: &mut PgConnection,
    run: &Run,
    entries: &[AuditEntry],
    upto: u64,
) -> PostgresResult<u64> {
    let state = lock_for(tx, run).await?;
    let end =
        sqlx::query("SELECT audit_seq, audit_head FROM mirror_state").fetch_one(&mut *tx).await?;
    let head: Option<&[u8]> = end.try_get("audit_head")?;
    let mut seq = nat(&end, "audit_seq")?;
    let mut prev = head.map_or(Ok(GENESIS), |_| bytes(&end, "audit_head"))?;
    let mut logged = already_logged(tx, entries).await?;
    let (mut rows, mut news) = (vec![], vec![]);
    for entry in entries {
        if !logged.insert(place(entry)) {
            continue;
        }
        seq = seq.saturating_add(1);
        let row = AuditRow::next(seq, &prev, entry);
        news.extend(announcement::of(&row));
        prev = row.hash;
        rows.push((entry, row));
    }
    let added = rows.len();
    insert(tx, rows).await?;
    outbox::put(tx, &news).await?;
    sqlx::query(
        "UPDATE mirror_state SET history_slot = greatest(history_slot, $1), audit_seq = $2,
             audit_head = coalesce($3, audit_head)",
    )
    .bind(int(upto)?)
    .bind(int(seq)?)
    .bind((seq > 0).then_some(prev.as_slice()))
    .execute(&mut *tx)
    .await?;
    revise(tx, &state, added > 0).await?;
    Ok(u64::try_from(added).unwrap_or(u64::MAX))
}

/// Those of `entries` that the log already holds.
async fn already_logged(
    tx: &mut PgConnection,
    entries: &[AuditEntry],
) -> PostgresResult<HashSet<EventPlace>> {
    if entries.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query(
        "SELECT signature, ix_index, inner_index FROM audit_log WHERE signature = ANY($1)",
    )
    .bind(entries.iter().map(|e| e.signature.as_ref().to_vec()).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    let place = |r: &sqlx::postgres::PgRow| {
        Ok((bytes(r, "signature")?, r.try_get("ix_index")?, r.try_get("inner_index")?))
    };
    rows.iter().map(place).collect()
}

async fn insert(tx: &mut PgConnection, rows: Vec<(&AuditEntry, AuditRow)>) -> PostgresResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let ints = |of: fn(&AuditRow) -> u64| -> PostgresResult<Vec<i64>> {
        rows.iter().map(|(_, row)| int(of(row))).collect()
    };
    let hashes = |of: fn(&AuditRow) -> &[u8; 32]| -> Vec<&[u8]> {
        rows.iter().map(|(_, row)| of(row).as_slice()).collect()
    };
    sqlx::query(
        "INSERT INTO audit_log (seq, slot, tx_index, ix_index, inner_index, signature, block_time,
             kind, actor, subject, payload, prev_hash, hash, row_checksum)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
             $6::bytea[], $7::bigint[], $8::text[], $9::bytea[], $10::bytea[], $11::bytea[],
             $12::bytea[], $13::bytea[], $14::bytea[])",
    )
    .bind(ints(|r| r.seq)?)
    .bind(ints(|r| r.slot)?)
    .bind(ints(|r| r.tx_index.into())?)
    .bind(ints(|r| r.ix_index.into())?)
    .bind(ints(|r| r.inner_index.into())?)
    .bind(rows.iter().map(|(entry, _)| entry.signature.as_ref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, r)| r.time).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, r)| r.kind.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, r)| r.actor.as_ref().map(raw)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, r)| r.subject.as_ref().map(raw)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, r)| r.payload.as_slice()).collect::<Vec<_>>())
    .bind(hashes(|r| &r.prev_hash))
    .bind(hashes(|r| &r.hash))
    .bind(hashes(|r| &r.row_checksum))
    .execute(tx)
    .await?;
    Ok(())
}
