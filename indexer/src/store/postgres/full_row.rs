//! Reads rows with every column, for checking the mirror against itself.
use solana_pubkey::Pubkey;
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{
    fault::PostgresFault,
    read::{bytes, is_filling, key, nat, opt_key, opt_nat},
};
use crate::store::FullRow;

/// Rows of every kind, closed ones too, ascending by address, after `after`.
pub async fn rows(
    tx: &mut PgConnection,
    after: Option<Pubkey>,
    limit: u32,
) -> Result<Vec<FullRow>, PostgresFault> {
    if is_filling(tx).await? {
        return Ok(vec![]);
    }
    let rows = sqlx::query("SELECT * FROM accounts WHERE pubkey > $1 ORDER BY pubkey LIMIT $2")
        .bind(after.map(|k| k.to_bytes().to_vec()).unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(tx)
        .await?;
    rows.iter().map(row).collect()
}

fn row(r: &PgRow) -> Result<FullRow, PostgresFault> {
    let version: Option<i32> = r.try_get("version")?;
    Ok(FullRow {
        pubkey: key(r, "pubkey")?,
        kind: r.try_get("kind")?,
        program: opt_key(r, "program")?,
        proposal: opt_key(r, "proposal")?,
        account: opt_key(r, "account")?,
        status: r.try_get("status")?,
        version: version.map(i64::from),
        data_hash: bytes(r, "data_hash")?,
        raw: r.try_get("raw")?,
        slot: nat(r, "slot")?,
        write_version: nat(r, "write_version")?,
        closed_slot: opt_nat(r, "closed_slot")?,
        position_checksum: nat(r, "position_checksum")?,
    })
}
