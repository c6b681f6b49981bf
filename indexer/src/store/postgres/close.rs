//! The end of a complete snapshot: closes the rows that the snapshot lacks and whose absence is proved.
//! Reads the mirror in pages, so memory does not grow with it.
use solana_pubkey::Pubkey;
use sqlx::{PgConnection, Row as _};

use super::{
    fault::PostgresResult,
    lease::{lock_for, renew},
    live::{raw, revise, shift},
    read::{int, key, opt_key},
};
use crate::store::{
    Closing, PubkeySet, Run,
    merge::{Deltas, tally},
};

/// Rows of one page.
const PAGE_ROWS: i64 = 10_000;

/// Closes every live row older than `slot` that is not in `present`, if all of them are in `gone`.
/// After [`Closing::Unproved`] the transaction must not be committed.
pub async fn tombstone_missing(
    tx: &mut PgConnection,
    run: &Run,
    slot: u64,
    (present, gone): (&PubkeySet, &PubkeySet),
) -> PostgresResult<Closing> {
    let state = lock_for(tx, run).await?;
    if slot <= state.snapshot_slot {
        return Ok(Closing::Closed(0));
    }
    let lost = lost(tx, slot, present).await?;
    let mut unproved: Vec<Pubkey> =
        lost.iter().filter(|pubkey| !gone.contains(pubkey)).copied().collect();
    let (mut after, mut closed, mut deltas) = (vec![], 0u64, Deltas::default());
    loop {
        let rows = sqlx::query(
            "SELECT pubkey, kind, program, proposal, status FROM accounts
             WHERE pubkey > $1 AND closed_slot IS NULL AND slot < $2 ORDER BY pubkey LIMIT $3",
        )
        .bind(&after)
        .bind(int(slot)?)
        .bind(PAGE_ROWS)
        .fetch_all(&mut *tx)
        .await?;
        let Some(last) = rows.last() else { break };
        after = raw(&key(last, "pubkey")?);
        let mut closing = vec![];
        for r in &rows {
            let pubkey = key(r, "pubkey")?;
            if present.contains(&pubkey) {
                continue;
            }
            if gone.contains(&pubkey) {
                let (kind, status): (&str, Option<&str>) =
                    (r.try_get("kind")?, r.try_get("status")?);
                let tally = tally(kind, opt_key(r, "program")?, opt_key(r, "proposal")?, status);
                deltas.shift(tally.as_ref(), None);
                closing.push(raw(&pubkey));
            } else {
                unproved.push(pubkey);
            }
        }
        closed = closed.saturating_add(u64::try_from(closing.len()).unwrap_or(u64::MAX));
        // One unproved account rolls everything back, so nothing more is written after the first.
        if !closing.is_empty() && unproved.is_empty() {
            sqlx::query("UPDATE accounts SET closed_slot = $2 WHERE pubkey = ANY($1)")
                .bind(closing)
                .bind(int(slot)?)
                .execute(&mut *tx)
                .await?;
        }
    }
    if !unproved.is_empty() {
        unproved.sort_unstable();
        unproved.dedup();
        return Ok(Closing::Unproved(unproved));
    }
    shift(tx, &deltas).await?;
    let cleared = clear(tx, &lost).await?;
    sqlx::query(
        "UPDATE mirror_state SET snapshot_slot = greatest(snapshot_slot, $1),
             frontier_slot = greatest(frontier_slot, $1)",
    )
    .bind(int(slot)?)
    .execute(&mut *tx)
    .await?;
    revise(tx, &state, closed > 0 || cleared > 0).await?;
    // This transaction held the lock on `mirror_state`, so the lease task could not renew.
    renew(tx).await?;
    Ok(Closing::Closed(closed))
}

/// The quarantined accounts older than `slot` that are not in `present`.
async fn lost(
    tx: &mut PgConnection,
    slot: u64,
    present: &PubkeySet,
) -> PostgresResult<Vec<Pubkey>> {
    let rows = sqlx::query("SELECT pubkey FROM quarantine WHERE slot < $1")
        .bind(int(slot)?)
        .fetch_all(&mut *tx)
        .await?;
    let keys = rows.iter().map(|r| key(r, "pubkey")).collect::<PostgresResult<Vec<_>>>()?;
    Ok(keys.into_iter().filter(|pubkey| !present.contains(pubkey)).collect())
}

/// Removes closed accounts from quarantine; returns how many.
async fn clear(tx: &mut PgConnection, gone: &[Pubkey]) -> PostgresResult<u64> {
    if gone.is_empty() {
        return Ok(0);
    }
    let gone: Vec<_> = gone.iter().map(raw).collect();
    let done =
        sqlx::query("DELETE FROM quarantine WHERE pubkey = ANY($1)").bind(gone).execute(tx).await?;
    Ok(done.rows_affected())
}
