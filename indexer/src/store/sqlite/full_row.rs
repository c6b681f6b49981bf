//! Reads rows with every column, for checking the mirror against itself.
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;

use super::{
    read::{key_at, nat, opt_key_at},
    worker::SqliteFault,
};
use crate::store::FullRow;

/// Rows of every kind, closed ones too, ascending by address, after `after`.
pub fn rows(
    tx: &Connection,
    after: Option<Pubkey>,
    limit: u32,
) -> Result<Vec<FullRow>, SqliteFault> {
    let after = after.map(|k| k.to_bytes().to_vec()).unwrap_or_default();
    let rows = tx
        .prepare_cached(
            // The join on the rowid makes SQLite read the address from the table; otherwise it would
            // read it from the index, and a damaged table would pass. Text is read as bytes, so that
            // invalid UTF-8 is reported as a difference and not as an error.
            "SELECT a.pubkey, CAST(a.kind AS BLOB), program, proposal, account,
                 CAST(status AS BLOB), version, data_hash, raw, slot, write_version, closed_slot, position_checksum
             FROM (SELECT rowid AS id, pubkey AS key FROM accounts
                   WHERE pubkey > ?1 ORDER BY pubkey LIMIT ?2) k
             JOIN accounts a ON a.rowid = k.id ORDER BY k.key",
        )?
        .query_map(params![after, limit], |r| {
            Ok(FullRow {
                pubkey: key_at(r, 0)?,
                kind: String::from_utf8_lossy(&r.get::<_, Vec<u8>>(1)?).into_owned(),
                program: opt_key_at(r, 2)?,
                proposal: opt_key_at(r, 3)?,
                account: opt_key_at(r, 4)?,
                status: r
                    .get::<_, Option<Vec<u8>>>(5)?
                    .map(|text| String::from_utf8_lossy(&text).into_owned()),
                version: r.get(6)?,
                data_hash: r.get(7)?,
                raw: r.get(8)?,
                slot: nat(r, 9)?,
                write_version: nat(r, 10)?,
                closed_slot: r.get::<_, Option<i64>>(11)?.map(|_| nat(r, 11)).transpose()?,
                position_checksum: nat(r, 12)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}
