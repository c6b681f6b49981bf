//! The end of a complete snapshot: what it lacks is closed. The mirror is read in pages, so memory
//! does not grow with it.
use sqlx::{PgConnection, Row as _};

use super::{
    fault::Fault,
    lease::{lock_for, renew},
    live::{raw, revise, shift},
    read::{int, key, opt_key},
};
use crate::store::{
    Closing, Present, Run,
    merge::{Deltas, is_suspect, tally},
};

type Outcome<T> = Result<T, Fault>;

/// Rows that are looked at in one go.
const PAGE: i64 = 10_000;

/// Closes every live row older than `slot` that is not in `present`. After [`Closing::Suspect`] the
/// transaction must not be committed.
pub async fn tombstone_missing(
    tx: &mut PgConnection,
    run: &Run,
    slot: u64,
    present: &Present,
    trusted: bool,
) -> Outcome<Closing> {
    let state = lock_for(tx, run).await?;
    if slot <= state.snapshot_slot {
        return Ok(Closing::Closed(0));
    }
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM accounts WHERE closed_slot IS NULL")
        .fetch_one(&mut *tx)
        .await?;
    let known = known.unsigned_abs();
    let (mut after, mut closed, mut deltas) = (vec![], 0u64, Deltas::default());
    loop {
        let rows = sqlx::query(
            "SELECT pubkey, kind, program, proposal, status FROM accounts
             WHERE pubkey > $1 AND closed_slot IS NULL AND slot < $2 ORDER BY pubkey LIMIT $3",
        )
        .bind(&after)
        .bind(int(slot)?)
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await?;
        let Some(last) = rows.last() else { break };
        after = raw(&key(last, "pubkey")?);
        let mut gone = vec![];
        for r in &rows {
            let pubkey = key(r, "pubkey")?;
            if !present.contains(&pubkey) {
                let (kind, status): (&str, Option<&str>) =
                    (r.try_get("kind")?, r.try_get("status")?);
                let tally = tally(kind, opt_key(r, "program")?, opt_key(r, "proposal")?, status);
                deltas.shift(tally.as_ref(), None);
                gone.push(raw(&pubkey));
            }
        }
        closed = closed.saturating_add(u64::try_from(gone.len()).unwrap_or(u64::MAX));
        // More missing rows only make it more suspect.
        if !trusted && is_suspect(known, closed) {
            return Ok(Closing::Suspect { known });
        }
        if !gone.is_empty() {
            sqlx::query("UPDATE accounts SET closed_slot = $2 WHERE pubkey = ANY($1)")
                .bind(gone)
                .bind(int(slot)?)
                .execute(&mut *tx)
                .await?;
        }
    }
    shift(tx, &deltas).await?;
    let cleared = clear(tx, slot, present).await?;
    sqlx::query(
        "UPDATE mirror_state SET snapshot_slot = greatest(snapshot_slot, $1),
             frontier_slot = greatest(frontier_slot, $1)",
    )
    .bind(int(slot)?)
    .execute(&mut *tx)
    .await?;
    revise(tx, &state, closed > 0 || cleared > 0).await?;
    // Meanwhile nobody else could renew it.
    renew(tx).await?;
    Ok(Closing::Closed(closed))
}

/// Takes unreadable accounts that are gone out of quarantine; how many.
async fn clear(tx: &mut PgConnection, slot: u64, present: &Present) -> Outcome<u64> {
    let rows = sqlx::query("SELECT pubkey FROM quarantine WHERE slot < $1")
        .bind(int(slot)?)
        .fetch_all(&mut *tx)
        .await?;
    let keys = rows.iter().map(|r| key(r, "pubkey")).collect::<Outcome<Vec<_>>>()?;
    let gone: Vec<_> = keys.iter().filter(|k| !present.contains(k)).map(raw).collect();
    if gone.is_empty() {
        return Ok(0);
    }
    let done =
        sqlx::query("DELETE FROM quarantine WHERE pubkey = ANY($1)").bind(gone).execute(tx).await?;
    Ok(done.rows_affected())
}
