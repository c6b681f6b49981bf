//! Appends to the audit log and puts the announcements of the new events into the outbox.
use rusqlite::{Connection, OptionalExtension, params};
use solana_pubkey::Pubkey;

use super::{
    outbox,
    read::{self, int},
    worker::SqliteResult,
    write::revise,
};
use crate::store::{
    announcement,
    audit_log::{AuditEntry, AuditRow, GENESIS},
};

pub fn append_audit(tx: &Connection, entries: &[AuditEntry], upto: u64) -> SqliteResult<u64> {
    let head: Option<(u64, [u8; 32])> = tx
        .prepare_cached("SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1")?
        .query_row([], |r| Ok((read::nat(r, 0)?, r.get(1)?)))
        .optional()?;
    let (mut seq, mut prev) = head.unwrap_or((0, GENESIS));
    let mut added = 0u64;
    for entry in entries {
        let there: bool = tx
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM audit_log
                 WHERE signature = ?1 AND ix_index = ?2 AND inner_index = ?3)",
            )?
            .query_row(
                params![entry.signature.as_array(), entry.ix_index, entry.inner_index],
                |r| r.get(0),
            )?;
        if there {
            continue;
        }
        seq = seq.saturating_add(1);
        let row = AuditRow::next(seq, &prev, entry);
        tx.prepare_cached(
            "INSERT INTO audit_log (seq, slot, tx_index, ix_index, inner_index, signature,
                 block_time, kind, actor, subject, payload, prev_hash, hash, row_checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            int(seq)?,
            int(row.slot)?,
            row.tx_index,
            row.ix_index,
            row.inner_index,
            entry.signature.as_array(),
            row.time,
            row.kind,
            row.actor.as_ref().map(Pubkey::as_array),
            row.subject.as_ref().map(Pubkey::as_array),
            row.payload,
            row.prev_hash,
            row.hash,
            row.row_checksum,
        ])?;
        if let Some(said) = announcement::of(&row) {
            outbox::put(tx, &said)?;
        }
        prev = row.hash;
        added = added.saturating_add(1);
    }
    tx.prepare_cached("UPDATE mirror_state SET history_slot = ?1 WHERE history_slot < ?1")?
        .execute([int(upto)?])?;
    if added > 0 {
        tx.prepare_cached("UPDATE mirror_state SET audit_seq = ?1, audit_head = ?2")?
            .execute(params![int(seq)?, prev])?;
    }
    revise(tx, added > 0)?;
    Ok(added)
}
