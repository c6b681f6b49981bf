//! Closes what a complete snapshot lacks.
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;

use super::{
    read::{self, int, key_at, opt_key_at},
    worker::Fault,
    write::{revise, shift},
};
use crate::store::{
    Closing, Present,
    merge::{Deltas, is_suspect, tally},
};

type Outcome<T> = Result<T, Fault>;

pub fn tombstone_missing(
    tx: &Connection,
    slot: u64,
    present: &Present,
    trusted: bool,
) -> Outcome<Closing> {
    if slot <= read::state_number(tx, "snapshot_slot")? {
        return Ok(Closing::Closed(0));
    }
    // Addresses only, and only of what is missing: the table may be far greater than the memory.
    let (mut known, mut gone) = (0u64, vec![]);
    {
        let mut select =
            tx.prepare_cached("SELECT pubkey, slot FROM accounts WHERE closed_slot IS NULL")?;
        let mut rows = select.query([])?;
        while let Some(r) = rows.next()? {
            known = known.saturating_add(1);
            let pubkey = key_at(r, 0)?;
            if read::nat(r, 1)? < slot && !present.contains(&pubkey) {
                gone.push(pubkey);
            }
        }
    }
    let closed = u64::try_from(gone.len()).unwrap_or(u64::MAX);
    if !trusted && is_suspect(known, closed) {
        return Ok(Closing::Suspect { known });
    }
    let mut deltas = Deltas::default();
    gone.sort_unstable();
    for pubkey in &gone {
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
    let unreadable: Vec<Pubkey> = tx
        .prepare_cached("SELECT pubkey FROM quarantine WHERE slot < ?1")?
        .query_map([int(slot)?], |r| key_at(r, 0))?
        .collect::<Result<_, _>>()?;
    let mut cleared = false;
    for pubkey in unreadable.iter().filter(|k| !present.contains(k)) {
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
