//! What a write does to what is there, decided in one place for every store. Pure.
//!
//! A state is newer than another when its `(slot, wv)` is greater. A complete snapshot at slot S
//! speaks about every address, so it stands for `(S, 0)` even of rows it did not have to write:
//! that is the floor.
use std::collections::{BTreeMap, HashMap};

use solana_pubkey::Pubkey;
use upgrade_manager::state::{AccountStatus, AccountVersion};

use super::types::{ProgressRow, Row, Update, View};
use crate::{
    account::{Kind, ManagerAccount, Tally},
    decode::manager_account,
};

/// What the store knows of an account before a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Slot of its state.
    pub slot: u64,
    /// Order within the slot.
    pub wv: u64,
    /// Whether it is closed.
    pub closed: bool,
    /// sha256 of its bytes.
    pub data_hash: [u8; 32],
    /// Where it is counted while it is live.
    pub tally: Option<Tally>,
}

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Older than what is there: nothing.
    Stale,
    /// The same content, seen again by a snapshot: nothing, the floor will say so.
    Same,
    /// The same content, seen later by the websocket: only the order moves.
    Touch,
    /// New content.
    Write,
}

/// What `new` does to `known` in a store whose last complete snapshot was at `floor`.
#[must_use]
pub fn decide(floor: u64, known: Option<&Known>, new: &Update) -> Decision {
    let order = (new.slot, new.wv);
    if order < (floor, 0) {
        return Decision::Stale;
    }
    match known {
        Some(k) if order <= (k.slot, k.wv) => Decision::Stale,
        Some(k) if !k.closed && k.data_hash == new.data_hash => {
            if new.wv == 0 {
                Decision::Same
            } else {
                Decision::Touch
            }
        }
        _ => Decision::Write,
    }
}

/// Everything that a batch does to the rows.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Rows to insert or replace.
    pub writes: Vec<Update>,
    /// Rows whose order moves: address, slot, write order.
    pub touches: Vec<(Pubkey, u64, u64)>,
    /// Accounts that were readable, with the slot of that state.
    pub readable: Vec<(Pubkey, u64)>,
    /// Changes of the counters.
    pub deltas: Deltas,
    /// States with the same content.
    pub unchanged: u64,
    /// States older than what is there.
    pub stale: u64,
}

/// Decides about `updates`, of which no two may be of one account, see [`newest`].
#[must_use]
pub fn plan(floor: u64, updates: Vec<Update>, known: &HashMap<Pubkey, Known>) -> Plan {
    let mut plan = Plan::default();
    for update in updates {
        let old = known.get(&update.pubkey);
        let decision = decide(floor, old, &update);
        if decision == Decision::Stale {
            plan.stale = plan.stale.saturating_add(1);
            continue;
        }
        plan.readable.push((update.pubkey, update.slot));
        if decision == Decision::Write {
            let before = old.filter(|k| !k.closed).and_then(|k| k.tally.as_ref());
            plan.deltas.shift(before, update.facets.tally.as_ref());
            plan.writes.push(update);
        } else {
            plan.unchanged = plan.unchanged.saturating_add(1);
            if decision == Decision::Touch {
                plan.touches.push((update.pubkey, update.slot, update.wv));
            }
        }
    }
    plan
}

/// Only the newest state of each account, ascending by address so that writers lock in one order.
/// The count is of those left out.
#[must_use]
pub fn newest(updates: Vec<Update>) -> (Vec<Update>, u64) {
    let before = updates.len();
    let mut by_key: HashMap<Pubkey, Update> = HashMap::with_capacity(before);
    for update in updates {
        match by_key.get(&update.pubkey) {
            Some(kept) if (kept.slot, kept.wv) >= (update.slot, update.wv) => {}
            _ => {
                by_key.insert(update.pubkey, update);
            }
        }
    }
    let mut kept: Vec<Update> = by_key.into_values().collect();
    kept.sort_unstable_by_key(|u| u.pubkey);
    let left_out = u64::try_from(before.saturating_sub(kept.len())).unwrap_or(u64::MAX);
    (kept, left_out)
}

/// Closing fewer rows than this is never suspect.
const FEW: u64 = 8;

/// Whether a snapshot that lacks `missing` of `known` live rows is more likely cut short than true.
#[must_use]
pub fn is_suspect(known: u64, missing: u64) -> bool {
    known > 0 && (missing == known || (missing > FEW && missing.saturating_mul(2) > known))
}

/// Changes of the counters that belong to changes of rows.
#[derive(Clone, Debug, Default)]
pub struct Deltas(BTreeMap<(Pubkey, Pubkey), [i64; 6]>);

impl Deltas {
    /// A row that was counted in `before` is counted in `after` now.
    pub fn shift(&mut self, before: Option<&Tally>, after: Option<&Tally>) {
        if before == after {
            return;
        }
        for (tally, by) in [(before, -1), (after, 1)] {
            let Some(tally) = tally else { continue };
            let counts = self.0.entry((tally.program, tally.proposal)).or_default();
            let at = AccountStatus::ALL.iter().position(|s| *s == tally.status);
            if let Some(n) = at.and_then(|at| counts.get_mut(at)) {
                *n = n.saturating_add(by);
            }
        }
    }

    /// The changes that are not zero: program, proposal, and one number a status.
    pub fn iter(&self) -> impl Iterator<Item = (&Pubkey, &Pubkey, &[i64; 6])> {
        let changed = self.0.iter().filter(|(_, by)| by.iter().any(|n| *n != 0));
        changed.map(|((program, proposal), by)| (program, proposal, by))
    }
}

/// Sums of `rows` by program, and by proposal.
#[must_use]
pub fn sums(
    rows: &BTreeMap<(Pubkey, Pubkey), ProgressRow>,
) -> (BTreeMap<Pubkey, ProgressRow>, BTreeMap<Pubkey, ProgressRow>) {
    let (mut by_program, mut by_proposal) = (BTreeMap::new(), BTreeMap::new());
    for ((program, proposal), row) in rows {
        for (map, key) in [(&mut by_program, program), (&mut by_proposal, proposal)] {
            let sum: &mut ProgressRow = map.entry(*key).or_default();
            *sum = sum.plus(*row);
        }
    }
    (by_program, by_proposal)
}

/// The counter that a stored row belongs to: `None` for anything but a version record.
#[must_use]
pub fn tally(
    kind: &str,
    program: Option<Pubkey>,
    proposal: Option<Pubkey>,
    status: Option<&str>,
) -> Option<Tally> {
    if kind != Kind::AccountVersion.name() {
        return None;
    }
    let status = AccountStatus::from_name(status?)?;
    Some(Tally { program: program?, proposal: proposal?, status })
}

/// Counters from numbers in the order of [`AccountStatus::ALL`].
#[must_use]
pub fn progress_row(counts: [u64; 6]) -> ProgressRow {
    let [pending, migrated, verified, restored, quarantined, closed] = counts;
    ProgressRow { pending, migrated, verified, restored, quarantined, closed }
}

/// One row as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Address.
    pub pubkey: Pubkey,
    /// Bytes.
    pub raw: Vec<u8>,
    /// Slot of that state.
    pub slot: u64,
    /// Slot at which it was found closed.
    pub closed_slot: Option<u64>,
}

impl Stored {
    fn row<T>(&self, account: T) -> Row<T> {
        let Self { pubkey, slot, closed_slot, .. } = *self;
        Row { pubkey, account, slot, closed_slot }
    }

    fn decode(&self) -> Result<ManagerAccount, String> {
        manager_account(&self.raw).map_err(|why| format!("row {}: {why}", self.pubkey))
    }
}

/// The view over `rows` and the counters, without frontier and revision.
///
/// # Errors
/// Which row holds bytes that do not decode.
pub fn view(
    rows: Vec<Stored>,
    progress: &BTreeMap<(Pubkey, Pubkey), ProgressRow>,
) -> Result<View, String> {
    let (by_program, by_proposal) = sums(progress);
    let mut view = View { progress: by_program, moved: by_proposal, ..View::default() };
    for stored in rows {
        match stored.decode()? {
            ManagerAccount::Multisig(a) => view.multisigs.push(stored.row(*a)),
            ManagerAccount::Program(a) => view.programs.push(stored.row(*a)),
            ManagerAccount::Proposal(a) => view.proposals.push(stored.row(*a)),
            ManagerAccount::Attestation(a) => view.attestations.push(stored.row(*a)),
            ManagerAccount::Governance(a) => view.governance.push(stored.row(*a)),
            ManagerAccount::AccountVersion(_) | ManagerAccount::Backup(_) => {}
        }
    }
    Ok(view)
}

/// The version records in `rows`.
///
/// # Errors
/// Which row holds bytes that are not a version record.
pub fn records(rows: Vec<Stored>) -> Result<Vec<Row<AccountVersion>>, String> {
    let read = |stored: Stored| match stored.decode()? {
        ManagerAccount::AccountVersion(a) => Ok(stored.row(*a)),
        _ => Err(format!("row {} is not a version record", stored.pubkey)),
    };
    rows.into_iter().map(read).collect()
}
