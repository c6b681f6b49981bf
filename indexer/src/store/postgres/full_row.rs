//! Reads rows with every column, for checking the mirror against itself.
use solana_pubkey::Pubkey;
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{
    fault::Fault,
    read::{bytes, is_filling, key, nat, opt_key, opt_nat},
};
use crate::store::KeptRow;

/// Rows of every kind, closed ones too, ascending by address, after `after`.
pub async fn rows(
    tx: &mut PgConnection,
    after: Option<Pubkey>,
    limit: u32,
) -> Result<Vec<KeptRow>, Fault> {
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

fn row(r: &PgRow) -> Result<KeptRow, Fault> {
    let version: Option<i32> = r.try_get("version")?;
    Ok(KeptRow {
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
        wv: nat(r, "wv")?,
        closed_slot: opt_nat(r, "closed_slot")?,
        place_sum: nat(r, "place_sum")?,
    })
}
