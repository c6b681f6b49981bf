//! The end of a complete snapshot: closes the rows that it lacks and whose absence is proved.
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;

use super::{
    read::{self, int, key_at, opt_key_at},
    worker::SqliteResult,
    write::{revise, shift},
};
use crate::store::{
    Closing, PubkeySet,
    merge::{Deltas, tally},
};

pub fn tombstone_missing(
    tx: &Connection,
    slot: u64,
    present: &PubkeySet,
    gone: &PubkeySet,
) -> SqliteResult<Closing> {
    if slot <= read::state_number(tx, "snapshot_slot")? {
        return Ok(Closing::Closed(0));
    }
    // Collects only the addresses of missing rows: the table may be larger than the memory.
    let mut closing = vec![];
    {
        let mut select =
            tx.prepare_cached("SELECT pubkey, slot FROM accounts WHERE closed_slot IS NULL")?;
        let mut rows = select.query([])?;
        while let Some(r) = rows.next()? {
            let pubkey = key_at(r, 0)?;
            if read::nat(r, 1)? < slot && !present.contains(&pubkey) {
                closing.push(pubkey);
            }
        }
    }
    let unreadable: Vec<Pubkey> = tx
        .prepare_cached("SELECT pubkey FROM quarantine WHERE slot < ?1")?
        .query_map([int(slot)?], |r| key_at(r, 0))?
        .collect::<Result<_, _>>()?;
    let lost: Vec<Pubkey> =
        unreadable.into_iter().filter(|pubkey| !present.contains(pubkey)).collect();
    let mut unproved: Vec<Pubkey> =
        closing.iter().chain(&lost).filter(|pubkey| !gone.contains(pubkey)).copied().collect();
    if !unproved.is_empty() {
        unproved.sort_unstable();
        unproved.dedup();
        return Ok(Closing::Unproved(unproved));
    }
    let closed = u64::try_from(closing.len()).unwrap_or(u64::MAX);
    let mut deltas = Deltas::default();
    closing.sort_unstable();
    for pubkey in &closing {
        let tally = tx
            .prepare_cached(
                "UPDATE accounts SET closed_slot = ?2 WHERE pubkey = ?1
                 RETURNING kind, program, proposal, status",
            )?
            .query_row(params![pubkey.as_array(), int(slot)?], |r| {
                let (kind, status): (String, Option<String>) = (r.get(0)?, r.get(3)?);
                Ok(tally(&kind, opt_key_at(r, 1)?, opt_key_at(r, 2)?, status.as_deref()))
            })?;
        deltas.shift(tally.as_ref(), None);
    }
    shift(tx, &deltas)?;
    let mut cleared = false;
    for pubkey in &lost {
        tx.execute("DELETE FROM quarantine WHERE pubkey = ?1", [pubkey.as_array()])?;
        cleared = true;
    }
    tx.prepare_cached(
        "UPDATE mirror_state SET snapshot_slot = max(snapshot_slot, ?1),
             frontier_slot = max(frontier_slot, ?1)",
    )?
    .execute([int(slot)?])?;
    revise(tx, closed > 0 || cleared)?;
    Ok(Closing::Closed(closed))
}
