//! Decides for every store what a write does to the stored row. Pure.
//!
//! A state is newer than another when its `(slot, write_version)` is greater. A complete snapshot at
//! slot S speaks about every address, so it counts as `(S, 0)` even for rows that it did not write:
//! that is the floor. A stream write above the root may be undone, see [`undo`].
mod rows;
mod undo;

use std::collections::{BTreeMap, HashMap};

use solana_pubkey::Pubkey;
use upgrade_manager::state::AccountStatus;

use super::types::Close;
use crate::account::{Tally, Update};

pub use rows::{Stored, progress_row, records, tally, view};
pub use undo::{Image, UndoneRow, unwind};

/// The stored row of an account, as far as a write depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRow {
    /// Slot of its state.
    pub slot: u64,
    /// Order within the slot.
    pub write_version: u64,
    /// Whether it is closed.
    pub closed: bool,
    /// sha256 of its bytes.
    pub data_hash: [u8; 32],
    /// The counter it belongs to while it is live.
    pub tally: Option<Tally>,
}

impl KnownRow {
    fn counted(&self) -> Option<&Tally> {
        self.tally.as_ref().filter(|_| !self.closed)
    }
}

/// The slots that decide whether a write is accepted, and whether it can be undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Slot of the store's last complete snapshot: nothing older is accepted.
    pub floor: u64,
    /// Newest finalised slot: a reorg can undo only writes above it.
    pub root: u64,
}

impl Bounds {
    /// Whether a write at `(slot, write_version)` may have to be undone. Snapshots (`write_version`
    /// 0) never are: after a reorg another snapshot follows.
    fn undoable(self, slot: u64, write_version: u64) -> bool {
        write_version != 0 && slot > self.root
    }
}

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Older than the stored row: nothing happens.
    Stale,
    /// The same content, confirmed by a snapshot: nothing happens, the new floor covers it.
    Same,
    /// The same content, seen later: only slot and write version change.
    Touch,
    /// New content.
    Write,
}

/// What `new` does to `known`.
#[must_use]
pub fn decide(bounds: Bounds, known: Option<&KnownRow>, new: &Update) -> Decision {
    let order = (new.slot, new.write_version);
    if order < (bounds.floor, 0) {
        return Decision::Stale;
    }
    match known {
        Some(k) if order <= (k.slot, k.write_version) => Decision::Stale,
        Some(k) if !k.closed && k.data_hash == new.data_hash => {
            // A snapshot confirms a row that the stream wrote above the root. Touching it gives the row the
            // snapshot's slot; otherwise undoing the stream's slot would remove a confirmed state.
            if new.write_version == 0 && !bounds.undoable(k.slot, k.write_version) {
                Decision::Same
            } else {
                Decision::Touch
            }
        }
        _ => Decision::Write,
    }
}

/// The newest state and close of one account in a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Its newest state, if there is one.
    pub update: Option<Update>,
    /// Its newest close, if that is newer than `update`.
    pub close: Option<Close>,
}

impl Change {
    /// The account.
    #[must_use]
    pub fn pubkey(&self) -> Option<Pubkey> {
        self.update.as_ref().map(|u| u.pubkey).or(self.close.map(|c| c.pubkey))
    }
}

/// Everything that a batch does to the rows. A store must execute it in the order of the fields.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Slots and accounts to log for undo before the first write. An entry that exists stays.
    pub keep: Vec<(u64, Pubkey)>,
    /// Rows to insert or replace.
    pub writes: Vec<Update>,
    /// Rows whose content is unchanged: address, new slot, new write version.
    pub touches: Vec<(Pubkey, u64, u64)>,
    /// As `keep`, but logged after writes and touches, before the closes.
    pub keep_then: Vec<(u64, Pubkey)>,
    /// Rows that are closed: slot and `closed_slot` become the close's slot.
    pub closes: Vec<Close>,
    /// Accounts that were readable or gone, with that slot: they leave quarantine.
    pub readable: Vec<(Pubkey, u64)>,
    /// Changes of the counters.
    pub deltas: Deltas,
    /// States with the same content, and closes of closed accounts.
    pub unchanged: u64,
    /// States and closes older than what is there.
    pub stale: u64,
    /// Rows in `closes` that were live.
    pub closed: u64,
}

/// The plan for `changes`, which hold each account at most once, see [`newest`].
#[must_use]
pub fn plan(bounds: Bounds, changes: Vec<Change>, known: &HashMap<Pubkey, KnownRow>) -> Plan {
    let mut plan = Plan::default();
    for change in changes {
        let mut now = change.pubkey().and_then(|pubkey| known.get(&pubkey)).cloned();
        let Change { update, close } = change;
        if let Some(update) = update {
            now = plan.state(bounds, now, update);
        }
        if let Some(close) = close {
            plan.close(bounds, now.as_ref(), close);
        }
    }
    plan
}

impl Plan {
    /// Plans a state; returns the account's row after it.
    fn state(&mut self, bounds: Bounds, old: Option<KnownRow>, update: Update) -> Option<KnownRow> {
        let decision = decide(bounds, old.as_ref(), &update);
        if decision == Decision::Stale {
            self.stale = self.stale.saturating_add(1);
            return old;
        }
        let (pubkey, slot, write_version) = (update.pubkey, update.slot, update.write_version);
        self.readable.push((pubkey, slot));
        if decision != Decision::Same && bounds.undoable(slot, write_version) {
            self.keep.push((slot, pubkey));
        }
        if decision == Decision::Write {
            let before = old.as_ref().and_then(KnownRow::counted);
            self.deltas.shift(before, update.facets.tally.as_ref());
            let (data_hash, tally) = (update.data_hash, update.facets.tally);
            self.writes.push(update);
            return Some(KnownRow { slot, write_version, closed: false, data_hash, tally });
        }
        self.unchanged = self.unchanged.saturating_add(1);
        if decision == Decision::Same {
            return old;
        }
        self.touches.push((pubkey, slot, write_version));
        old.map(|k| KnownRow { slot, write_version, ..k })
    }

    fn close(&mut self, bounds: Bounds, old: Option<&KnownRow>, close: Close) {
        let order = (close.slot, close.write_version);
        if order < (bounds.floor, 0) || old.is_some_and(|k| order <= (k.slot, k.write_version)) {
            self.stale = self.stale.saturating_add(1);
            return;
        }
        self.readable.push((close.pubkey, close.slot));
        let Some(old) = old else { return };
        if bounds.undoable(close.slot, close.write_version) {
            self.keep_then.push((close.slot, close.pubkey));
        }
        // A row that is closed already still takes the later order: a state older than this close must
        // not reopen it.
        self.closes.push(close);
        self.deltas.shift(old.counted(), None);
        let count = if old.closed { &mut self.unchanged } else { &mut self.closed };
        *count = count.saturating_add(1);
    }
}

/// The newest state of each account, and its close if that is newer, ascending by address so that
/// concurrent writers lock rows in the same order. The number counts what was dropped.
#[must_use]
pub fn newest(updates: Vec<Update>, closes: Vec<Close>) -> (Vec<Change>, u64) {
    let before = updates.len().saturating_add(closes.len());
    let mut by_key: HashMap<Pubkey, Change> = HashMap::with_capacity(before);
    for update in updates {
        let change = by_key.entry(update.pubkey).or_default();
        match &change.update {
            Some(kept)
                if (kept.slot, kept.write_version) >= (update.slot, update.write_version) => {}
            _ => change.update = Some(update),
        }
    }
    for close in closes {
        let change = by_key.entry(close.pubkey).or_default();
        let order = (close.slot, close.write_version);
        let newer = change.update.as_ref().is_none_or(|u| (u.slot, u.write_version) < order)
            && change.close.is_none_or(|c| (c.slot, c.write_version) < order);
        if newer {
            change.close = Some(close);
        }
    }
    let mut kept: Vec<(Pubkey, Change)> = by_key.into_iter().collect();
    kept.sort_unstable_by_key(|(pubkey, _)| *pubkey);
    let parts = |c: &Change| usize::from(c.update.is_some()) + usize::from(c.close.is_some());
    let left: usize = kept.iter().map(|(_, change)| parts(change)).sum();
    let left_out = u64::try_from(before.saturating_sub(left)).unwrap_or(u64::MAX);
    (kept.into_iter().map(|(_, change)| change).collect(), left_out)
}

/// Changes of the counters.
#[derive(Clone, Debug, Default)]
pub struct Deltas(BTreeMap<(Pubkey, Pubkey), [i64; 6]>);

impl Deltas {
    /// Moves one row from the counter `before` to the counter `after`.
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

    /// The non-zero changes: program, proposal, and one number per status.
    pub fn iter(&self) -> impl Iterator<Item = (&Pubkey, &Pubkey, &[i64; 6])> {
        let changed = self.0.iter().filter(|(_, by)| by.iter().any(|n| *n != 0));
        changed.map(|((program, proposal), by)| (program, proposal, by))
    }
}
