//! What happens on a small chain, and in which order an indexer may come to hear of it.
use std::collections::{BTreeMap, BTreeSet};

use indexer::{Batch, Close, Update};
use proptest::prelude::*;
use upgrade_manager::state::AccountStatus;

use crate::common::fixtures::{bytes, key, record, update};

/// What happens on chain to one of few accounts in one slot.
#[derive(Clone, Debug)]
pub struct Change {
    pub slot: u64,
    pub account: u8,
    pub what: What,
}

/// What that is.
#[derive(Clone, Copy, Debug)]
pub enum What {
    Becomes(AccountStatus),
    /// Nobody is told.
    Vanishes,
    /// Those who watch it are told.
    Closes,
}

/// One thing that reaches the indexer.
#[derive(Clone, Debug)]
pub enum Arrival {
    Told(Box<Update>),
    Gone(Close),
    Snapshot(u64, BTreeMap<u8, AccountStatus>),
    /// The indexer is started again.
    Restart,
}

impl Arrival {
    /// The slot that it tells of; 0 where it tells of none.
    pub fn slot(&self) -> u64 {
        match self {
            Self::Told(update) => update.slot,
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
    /// Slots that turn out to have been left behind.
    pub orphans: BTreeSet<u64>,
    /// Sort keys, and whether it arrives twice: a permutation with repetitions.
    order: Vec<(u32, bool)>,
    restarts: Vec<u32>,
    /// Messages of one batch.
    pub batch: usize,
}

/// Slots of a story.
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

    /// The same where nobody is told of closes: one that overtakes what it closes says nothing, and
    /// on a socket it does not.
    pub fn quiet(&self) -> Self {
        let mut story = self.clone();
        for change in &mut story.changes {
            if matches!(change.what, What::Closes) {
                change.what = What::Vanishes;
            }
        }
        story
    }

    /// The same with snapshots only of slots before the first orphan: what a snapshot says of an
    /// orphaned slot is corrected by the next one.
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
                    all.push(Arrival::Told(Box::new(update(pubkey, slot, write_version, data))));
                }
                What::Closes => all.push(Arrival::Gone(Close { pubkey, slot, write_version })),
                What::Vanishes => {}
            }
        }
        all
    }

    /// Everything that arrives, shuffled, some of it twice.
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

    /// Everything that arrives in the order of the chain, as one socket tells it, with what came
    /// before now and then told once more, and snapshots when their slot is over.
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

    /// What must come out: the last snapshot, and what was told of its slot or later.
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

/// Adds `arrival`, which is no snapshot and no restart, to `batch`.
pub fn add(batch: &mut Batch, arrival: &Arrival) {
    match arrival {
        Arrival::Told(update) => batch.updates.push(update.as_ref().clone()),
        Arrival::Gone(close) => batch.closes.push(*close),
        Arrival::Snapshot(..) | Arrival::Restart => {}
    }
}
