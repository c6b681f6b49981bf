//! Any order and repetition of arrivals, with any restarts, gives the same mirror and the same log.
//! `CONTROL_ROOM_TEST_SCALE` multiplies the number of cases.
mod log;
mod script;
mod story;

use std::{collections::BTreeMap, sync::Arc};

use indexer::{
    Batch, Fill, ManagerAccount, Marks, MirrorStore, PubkeySet, Run, SqliteStore, Store,
    account::decode::manager_account, digest, replay::complete,
};
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::sync::mpsc;
use upgrade_manager::state::AccountStatus;

use self::story::{Arrival, SLOTS, Story, add, rows, story};
use crate::common::{Place, fixtures::PROGRAM_ID, scale};

/// A runner for so many stories, which prints a failing story in full.
pub fn cases(n: u32) -> ProptestConfig {
    ProptestConfig { cases: n * scale(), failure_persistence: None, ..ProptestConfig::default() }
}

async fn begin(store: &dyn Store) -> Run {
    store.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap()
}

async fn again(store: &dyn Store, run: &mut Run) {
    store.end_run(run).await.unwrap();
    *run = begin(store).await;
}

async fn deliver(store: &dyn Store, run: &mut Run, arrivals: &[Arrival], size: usize) {
    let mut first = true;
    for part in arrivals.chunks(size) {
        let mut batch = Batch::default();
        for arrival in part {
            match arrival {
                Arrival::Restart => again(store, run).await,
                Arrival::Snapshot(slot, state) => {
                    store.apply(run, std::mem::take(&mut batch)).await.unwrap();
                    let updates = rows(*slot, state);
                    // The first arrival into an empty mirror uses the bulk load if possible.
                    if !(first && fill(store, run, updates.clone()).await) {
                        store.apply(run, Batch { updates, ..Batch::default() }).await.unwrap();
                    }
                    let present: PubkeySet = rows(*slot, state).iter().map(|u| u.pubkey).collect();
                    complete(store, run, *slot, Arc::new(present)).await.unwrap();
                    first = false;
                }
                told => add(&mut batch, told),
            }
        }
        store.apply(run, batch).await.unwrap();
    }
}

async fn fill(store: &dyn Store, run: &Run, rows: Vec<indexer::Update>) -> bool {
    let (to, from) = mpsc::channel(4);
    let sending = async move {
        // A non-empty store drops the receiver.
        let _ = to.send(Fill::Rows(rows, vec![])).await;
        let _ = to.send(Fill::End).await;
    };
    let (taken, ()) = tokio::join!(store.fill(run, from), sending);
    taken.unwrap().is_some()
}

/// The digest of a mirror with only the outcome of `story`.
async fn outcome(story: &Story) -> [u8; 32] {
    let store = SqliteStore::open_in_memory().unwrap();
    let run = begin(&store).await;
    let updates = rows(SLOTS, &story.expected());
    store.apply(&run, Batch { updates, ..Batch::default() }).await.unwrap();
    digest(&store).await.unwrap().tables
}

async fn is(store: &dyn Store, story: &Story) {
    let found = store.rows(None, 1_000).await.unwrap();
    let live: BTreeMap<u8, AccountStatus> = found
        .into_iter()
        .map(|row| {
            let Ok(ManagerAccount::AccountVersion(record)) = manager_account(&row.raw) else {
                panic!("a record");
            };
            (row.pubkey.to_bytes()[0], record.status)
        })
        .collect();
    assert_eq!(live, story.expected());
    assert_eq!(store.progress(false).await.unwrap(), store.progress(true).await.unwrap());
    assert_eq!(digest(store).await.unwrap().tables, outcome(story).await);
}

async fn any_order(store: &dyn Store, story: &Story) {
    let story = &story.quiet();
    let mut run = begin(store).await;
    deliver(store, &mut run, &story.shuffled(), story.batch).await;
    is(store, story).await;
    store.end_run(&run).await.unwrap();
}

async fn reorgs(store: &dyn Store, story: &Story) {
    let story = &story.with_early_snapshots();
    let mut run = begin(store).await;
    // No batch spans two slots: a batch keeps only the newest state of an account, so undoing it
    // would lose the older one. In production the snapshot after a reorg corrects that.
    for slot in story.in_order().chunk_by(|a, b| a.slot() == b.slot()) {
        deliver(store, &mut run, slot, story.batch).await;
    }
    is(store, story).await;
    let open = store.undo_slots(SLOTS).await.unwrap();
    let orphaned: Vec<u64> = open.into_iter().filter(|s| story.orphans.contains(s)).collect();
    // In two parts, as for two roots, with a restart between.
    let (early, late) = orphaned.split_at(orphaned.len() / 2);
    store.undo(&run, early).await.unwrap();
    again(store, &mut run).await;
    store.undo(&run, late).await.unwrap();
    is(store, &story.without_orphans()).await;
    // Finalised slots cannot be undone, not even after a restart.
    store.keep(&run, Marks { root: Some(SLOTS), ..Marks::default() }).await.unwrap();
    assert_eq!(store.undo_slots(SLOTS).await.unwrap(), [] as [u64; 0]);
    is(store, &story.without_orphans()).await;
    store.end_run(&run).await.unwrap();
}

fn on_sqlite(n: u32, test: impl AsyncFn(&dyn Store, &Story)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    proptest!(cases(n), |(story in story())| {
        runtime.block_on(test(&SqliteStore::open_in_memory().unwrap(), &story));
    });
}

fn on_postgres(n: u32, test: impl AsyncFn(&dyn Store, &Story)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(place) = runtime.block_on(Place::postgres()) else { return };
    let store = runtime.block_on(place.open());
    let empty = "TRUNCATE accounts, progress, quarantine, undo_log;
                 UPDATE mirror_state SET snapshot_slot = 0, frontier_slot = 0, root_slot = 0,
                     confirmed_slot = 0, lease_owner = NULL";
    let outcome = TestRunner::new(cases(n)).run(&story(), |story| {
        runtime.block_on(async {
            place.sql(empty).await.unwrap();
            test(store.as_ref(), &story).await;
        });
        Ok(())
    });
    drop(store);
    runtime.block_on(place.remove());
    outcome.unwrap();
}

#[test]
fn any_order_and_repetition_give_the_same_mirror_on_sqlite() {
    on_sqlite(400, any_order);
}

#[test]
fn any_order_and_repetition_give_the_same_mirror_on_postgres() {
    on_postgres(80, any_order);
}

#[test]
fn orphaned_slots_give_the_mirror_of_a_chain_without_them_on_sqlite() {
    on_sqlite(300, reorgs);
}

#[test]
fn orphaned_slots_give_the_mirror_of_a_chain_without_them_on_postgres() {
    on_postgres(60, reorgs);
}
