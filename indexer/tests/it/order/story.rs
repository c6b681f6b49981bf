//! Random histories of a small chain, and orders in which an indexer can receive them.
use std::collections::{BTreeMap, BTreeSet};

use indexer::{Batch, Close, Update};
use proptest::prelude::*;
use upgrade_manager::state::AccountStatus;

use crate::common::fixtures::{bytes, key, record, update};

/// A change of one of a few accounts in one slot.
#[derive(Clone, Debug)]
pub struct Change {
    pub slot: u64,
    pub account: u8,
    pub what: What,
}

/// The kind of change.
#[derive(Clone, Copy, Debug)]
pub enum What {
    Becomes(AccountStatus),
    /// Closed without a notification.
    Vanishes,
    /// Closed with a notification to its watchers.
    Closes,
}

/// One arrival at the indexer.
#[derive(Clone, Debug)]
pub enum Arrival {
    Notification(Box<Update>),
    Gone(Close),
    Snapshot(u64, BTreeMap<u8, AccountStatus>),
    /// A restart of the indexer.
    Restart,
}

impl Arrival {
    /// Its slot; 0 for none.
    pub fn slot(&self) -> u64 {
        match self {
            Self::Notification(update) => update.slot,
            Self::Gone(close) => close.slot,
            Self::Snapshot(..) | Self::Restart => 0,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Story {
    /// Ascending by slot.
    pub changes: Vec<Change>,
    pub snapshots: BTreeSet<u64>,
    /// Orphaned slots.
    pub orphans: BTreeSet<u64>,
    /// Sort keys, and whether it arrives twice: a permutation with repetitions.
    order: Vec<(u32, bool)>,
    restarts: Vec<u32>,
    /// Messages per batch.
    pub batch: usize,
}

/// Number of slots.
pub const SLOTS: u64 = 12;

pub fn story() -> impl Strategy<Value = Story> {
    let what = prop_oneof![
        6 => prop::sample::select(AccountStatus::ALL.to_vec()).prop_map(What::Becomes),
        1 => Just(What::Vanishes),
        1 => Just(What::Closes),
    ];
    let change = (1..SLOTS, 0u8..5, what);
    (
        prop::collection::vec(change, 1..30),
        prop::collection::btree_set(1..=SLOTS, 1..4),
        prop::collection::btree_set(1..SLOTS, 0..4),
        prop::collection::vec((any::<u32>(), any::<bool>()), 40),
        prop::collection::vec(any::<u32>(), 0..3),
        1usize..6,
    )
        .prop_map(|(mut changes, snapshots, orphans, order, restarts, batch)| {
            changes.sort_by_key(|c| c.0);
            let change = |(slot, account, what)| Change { slot, account, what };
            let changes = changes.into_iter().map(change).collect();
            Story { changes, snapshots, orphans, order, restarts, batch }
        })
}

pub fn data(account: u8, status: AccountStatus) -> Vec<u8> {
    bytes(&record(account, status))
}

fn put(state: &mut BTreeMap<u8, AccountStatus>, change: &Change) {
    match change.what {
        What::Becomes(status) => state.insert(change.account, status),
        What::Vanishes | What::Closes => state.remove(&change.account),
    };
}

impl Story {
    /// The same on a chain that never had the orphaned slots.
    pub fn without_orphans(&self) -> Self {
        let mut story = self.clone();
        story.changes.retain(|c| !self.orphans.contains(&c.slot));
        story
    }

    /// The same without close notifications: shuffled, a close could overtake the state it closes, which a
    /// socket never does.
    pub fn quiet(&self) -> Self {
        let mut story = self.clone();
        for change in &mut story.changes {
            if matches!(change.what, What::Closes) {
                change.what = What::Vanishes;
            }
        }
        story
    }

    /// The same with snapshots only before the first orphaned slot: only another snapshot corrects a
    /// snapshot of an orphaned slot.
    pub fn with_early_snapshots(&self) -> Self {
        let mut story = self.clone();
        if let Some(first) = self.orphans.first() {
            story.snapshots.retain(|slot| slot < first);
        }
        story
    }

    pub fn state_at(&self, slot: u64) -> BTreeMap<u8, AccountStatus> {
        let mut state = BTreeMap::new();
        self.changes.iter().filter(|c| c.slot <= slot).for_each(|c| put(&mut state, c));
        state
    }

    fn told(&self) -> Vec<Arrival> {
        let mut all = vec![];
        for (write_version, change) in (1u64..).zip(&self.changes) {
            let (pubkey, slot) = (key(change.account), change.slot);
            match change.what {
                What::Becomes(status) => {
                    let data = data(change.account, status);
                    all.push(Arrival::Notification(Box::new(update(
                        pubkey,
                        slot,
                        write_version,
                        data,
                    ))));
                }
                What::Closes => all.push(Arrival::Gone(Close { pubkey, slot, write_version })),
                What::Vanishes => {}
            }
        }
        all
    }

    /// All arrivals, shuffled, some of them twice.
    pub fn shuffled(&self) -> Vec<Arrival> {
        let mut all = self.told();
        all.extend(self.snapshots.iter().map(|s| Arrival::Snapshot(*s, self.state_at(*s))));
        let mut keyed: Vec<(u32, Arrival)> = vec![];
        for (arrival, (key, twice)) in all.into_iter().zip(self.order.iter().cycle()) {
            if *twice {
                keyed.push((key.wrapping_mul(2_654_435_761), arrival.clone()));
            }
            keyed.push((*key, arrival));
        }
        keyed.extend(self.restarts.iter().map(|key| (*key, Arrival::Restart)));
        keyed.sort_by_key(|(key, _)| *key);
        keyed.into_iter().map(|(_, arrival)| arrival).collect()
    }

    /// All arrivals in chain order, as on one socket, with occasional repetitions, and snapshots at the end
    /// of their slot.
    pub fn in_order(&self) -> Vec<Arrival> {
        let mut out: Vec<Arrival> = vec![];
        let mut snapshots = self.snapshots.iter().peekable();
        let told = self.told();
        for (n, arrival) in told.iter().enumerate() {
            while let Some(slot) = snapshots.next_if(|slot| **slot < arrival.slot()) {
                out.push(Arrival::Snapshot(*slot, self.state_at(*slot)));
            }
            out.push(arrival.clone());
            let (key, again) = self.order[n % self.order.len()];
            if again {
                out.push(told[key as usize % (n + 1)].clone());
            }
            if self.restarts.iter().any(|at| *at as usize % told.len() == n) {
                out.push(Arrival::Restart);
            }
        }
        out.extend(snapshots.map(|slot| Arrival::Snapshot(*slot, self.state_at(*slot))));
        out
    }

    /// The expected outcome: the last snapshot, and later changes.
    pub fn expected(&self) -> BTreeMap<u8, AccountStatus> {
        let floor = self.snapshots.last().copied().unwrap_or(0);
        let mut state = self.state_at(floor);
        let later = self.changes.iter().filter(|c| c.slot >= floor);
        later.filter(|c| !matches!(c.what, What::Vanishes)).for_each(|c| put(&mut state, c));
        state
    }
}

/// A snapshot as a batch, its rows in order.
pub fn rows(slot: u64, state: &BTreeMap<u8, AccountStatus>) -> Vec<Update> {
    state.iter().map(|(n, status)| update(key(*n), slot, 0, data(*n, *status))).collect()
}

/// Adds `arrival`, neither a snapshot nor a restart, to `batch`.
pub fn add(batch: &mut Batch, arrival: &Arrival) {
    match arrival {
        Arrival::Notification(update) => batch.updates.push(update.as_ref().clone()),
        Arrival::Gone(close) => batch.closes.push(*close),
        Arrival::Snapshot(..) | Arrival::Restart => {}
    }
}
