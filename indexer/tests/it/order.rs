//! Whatever the order and however often states arrive, the same mirror comes out.
use std::{collections::BTreeMap, sync::Arc};

use indexer::{Batch, Present, SqliteStore, Store, Update};
use proptest::{prelude::*, test_runner::TestRunner};
use solana_pubkey::Pubkey;
use upgrade_manager::state::AccountStatus;

use crate::common::{
    Place,
    fixtures::{RUN, bytes, key, record, update},
};

/// What happens on chain to one of few accounts in one slot; `None` closes it.
#[derive(Clone, Debug)]
struct Change {
    slot: u64,
    account: u8,
    status: Option<AccountStatus>,
}

/// One thing that reaches the indexer.
#[derive(Clone, Debug)]
enum Arrival {
    Told(Box<Update>),
    Snapshot(u64, BTreeMap<u8, AccountStatus>),
}

#[derive(Clone, Debug)]
struct Story {
    changes: Vec<Change>,
    snapshots: Vec<u64>,
    /// Sort keys: a permutation with repetitions.
    order: Vec<(u32, bool)>,
    batch: usize,
}

fn story() -> impl Strategy<Value = Story> {
    let status = prop_oneof![
        4 => prop::sample::select(AccountStatus::ALL.to_vec()).prop_map(Some),
        1 => Just(None),
    ];
    let change = (1u64..12, 0u8..5, status).prop_map(|(slot, account, status)| Change {
        slot,
        account,
        status,
    });
    (
        prop::collection::vec(change, 1..30),
        prop::collection::hash_set(1u64..13, 1..4),
        prop::collection::vec((any::<u32>(), any::<bool>()), 40),
        1usize..6,
    )
        .prop_map(|(mut changes, snapshots, order, batch)| {
            changes.sort_by_key(|c| c.slot);
            Story { changes, snapshots: snapshots.into_iter().collect(), order, batch }
        })
}

fn data(account: u8, status: AccountStatus) -> Vec<u8> {
    bytes(&record(account, status))
}

impl Story {
    fn state_at(&self, slot: u64) -> BTreeMap<u8, AccountStatus> {
        let mut state = BTreeMap::new();
        for change in self.changes.iter().filter(|c| c.slot <= slot) {
            match change.status {
                Some(status) => state.insert(change.account, status),
                None => state.remove(&change.account),
            };
        }
        state
    }

    /// Everything that arrives, shuffled, some of it twice.
    fn arrivals(&self) -> Vec<Arrival> {
        let mut all = vec![];
        for (wv, change) in (1u64..).zip(&self.changes) {
            // A close is never told.
            if let Some(status) = change.status {
                let data = data(change.account, status);
                all.push(Arrival::Told(Box::new(update(
                    key(change.account),
                    change.slot,
                    wv,
                    data,
                ))));
            }
        }
        all.extend(self.snapshots.iter().map(|s| Arrival::Snapshot(*s, self.state_at(*s))));
        let mut keyed: Vec<(u32, Arrival)> = vec![];
        for (arrival, (key, twice)) in all.into_iter().zip(self.order.iter().cycle()) {
            if *twice {
                keyed.push((key.wrapping_mul(2_654_435_761), arrival.clone()));
            }
            keyed.push((*key, arrival));
        }
        keyed.sort_by_key(|(key, _)| *key);
        keyed.into_iter().map(|(_, arrival)| arrival).collect()
    }

    /// What must come out: the last snapshot, and what was told of its slot or later.
    fn expected(&self) -> BTreeMap<Pubkey, Vec<u8>> {
        let floor = self.snapshots.iter().copied().max().unwrap_or(0);
        let mut state = self.state_at(floor);
        for change in self.changes.iter().filter(|c| c.slot >= floor) {
            if let Some(status) = change.status {
                state.insert(change.account, status);
            }
        }
        state.into_iter().map(|(n, status)| (key(n), data(n, status))).collect()
    }
}

async fn deliver(store: &dyn Store, story: &Story) {
    for part in story.arrivals().chunks(story.batch) {
        let mut batch = Batch::default();
        for arrival in part {
            match arrival {
                Arrival::Told(update) => batch.updates.push(update.as_ref().clone()),
                Arrival::Snapshot(slot, state) => {
                    store.apply(&RUN, std::mem::take(&mut batch)).await.unwrap();
                    let read = |(n, status): (&u8, &AccountStatus)| {
                        update(key(*n), *slot, 0, data(*n, *status))
                    };
                    let updates = state.iter().map(read).collect();
                    store.apply(&RUN, Batch { updates, ..Batch::default() }).await.unwrap();
                    let present: Present = state.keys().map(|n| key(*n)).collect();
                    store.tombstone_missing(&RUN, *slot, Arc::new(present), true).await.unwrap();
                }
            }
        }
        store.apply(&RUN, batch).await.unwrap();
    }
}

async fn check(store: &dyn Store, story: &Story) {
    deliver(store, story).await;
    let rows = store.rows(None, 1_000).await.unwrap();
    let live: BTreeMap<Pubkey, Vec<u8>> = rows.into_iter().map(|r| (r.pubkey, r.raw)).collect();
    assert_eq!(live, story.expected());
    assert_eq!(store.progress(false).await.unwrap(), store.progress(true).await.unwrap());
}

#[test]
fn any_order_and_any_repetition_end_in_the_same_mirror_on_sqlite() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    proptest!(ProptestConfig::with_cases(600), |(story in story())| {
        runtime.block_on(check(&SqliteStore::open_in_memory().unwrap(), &story));
    });
}

#[test]
fn any_order_and_any_repetition_end_in_the_same_mirror_on_postgres() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(place) = runtime.block_on(Place::postgres()) else { return };
    let store = runtime.block_on(place.open());
    let empty = "TRUNCATE accounts, progress, quarantine;
                 UPDATE mirror_state SET snapshot_slot = 0, frontier_slot = 0";
    let mut runner = TestRunner::new(ProptestConfig::with_cases(150));
    let outcome = runner.run(&story(), |story| {
        runtime.block_on(async {
            place.sql(empty).await.unwrap();
            check(store.as_ref(), &story).await;
        });
        Ok(())
    });
    drop(store);
    runtime.block_on(place.remove());
    outcome.unwrap();
}
