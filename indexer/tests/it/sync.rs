//! Stream and snapshot against a scripted node: in any order, the mirror ends equal.
use std::{sync::Arc, time::Duration};

use indexer::{Conn, SourceConfig, SqliteStore, Store, backfill_once, spawn};
use upgrade_manager::state::AccountStatus::{Migrated, Pending, Restored, Verified};

use crate::{
    common::{
        TEST_TIMEOUT,
        fake::FakeSolana,
        fixtures::{bytes, key, multisig, record},
        mirror::{equal, live},
        until,
    },
    on_both_stores,
};

async fn memory() -> Arc<dyn Store> {
    Arc::new(SqliteStore::open_in_memory().unwrap())
}

on_both_stores! {
    async fn snapshot_changes_and_closes_reach_the_store(place) {
        let (fake, store) = (FakeSolana::start().await, place.open().await);
        fake.set(key(40), bytes(&multisig()));
        for n in 1..=20 {
            fake.set(key(n), bytes(&record(n, Pending)));
        }
        let config = indexer::SourceConfig { reconcile: Duration::from_millis(200), ..fake.config() };
        let indexer = spawn(config, Arc::clone(&store));
        live(&indexer).await;
        assert!(equal(&store, &fake).await, "the snapshot is in the store before it says Live");
        let before = *indexer.revision.borrow();
        for n in 1..=20 {
            fake.set(key(n), bytes(&record(n, Migrated)));
        }
        fake.set(key(30), bytes(&record(30, Migrated)));
        until("updates reach the store", || equal(&store, &fake)).await;
        assert!(*indexer.revision.borrow() > before);
        fake.close_account(&key(7));
        until("a close is found by reading everything again", || equal(&store, &fake)).await;
        let progress = store.progress(false).await.unwrap();
        assert_eq!(progress, store.progress(true).await.unwrap());
        assert_eq!(progress[&(key(50), key(60))].migrated, 20);
        let health = indexer.health.borrow().clone();
        assert!(health.slot > 100 && health.root >= 68 && health.chain_time.is_some());
        assert!(health.last_frame.is_some() && health.read_at.is_some() && health.error.is_none());
        let mut last = indexer.health.clone();
        indexer.shutdown().await;
        assert!(matches!(last.borrow_and_update().conn, Conn::Stopped { .. }));
    }

    async fn a_read_closes_most_accounts_but_an_empty_list_closes_none(place) {
        let (fake, store) = (FakeSolana::start().await, place.open().await);
        for n in 1..=20 {
            fake.set(key(n), bytes(&record(n, Verified)));
        }
        let config = || SourceConfig { reconcile: Duration::from_millis(50), ..fake.config() };
        backfill_once(config(), Arc::clone(&store)).await.unwrap();
        fake.tick();
        fake.state().cut = 20;
        let done = backfill_once(config(), Arc::clone(&store)).await.unwrap();
        let doubt = done.doubt.unwrap();
        assert!(done.closed == 0 && doubt.contains("listed 0 and left out 20 that"), "{doubt}");
        assert!(equal(&store, &fake).await);
        fake.state().cut = 0;
        for n in 1..=18 {
            fake.close_account(&key(n));
        }
        fake.tick();
        let done = backfill_once(config(), Arc::clone(&store)).await.unwrap();
        assert_eq!((done.accounts, done.closed), (2, 18));
        assert!(equal(&store, &fake).await);
    }

    async fn blank_accounts_of_strangers_are_ignored(place) {
        let (fake, store) = (FakeSolana::start().await, place.open().await);
        fake.set(key(1), bytes(&record(1, Verified)));
        fake.set(key(2), vec![]);
        fake.set(key(3), vec![0; 165]);
        let indexer = spawn(fake.config(), Arc::clone(&store));
        live(&indexer).await;
        fake.set(key(4), vec![0; 8]);
        fake.set(key(5), bytes(&record(5, Verified)));
        until("what is told after it arrives", || async {
            store.rows(None, 9).await.unwrap().len() == 2
        })
        .await;
        assert_eq!(store.quarantined().await.unwrap(), []);
        assert_eq!(indexer.health.borrow().error, None);
        let report = indexer::verify(&fake.config(), store.as_ref()).await.unwrap();
        assert_eq!((report.compared, report.differences), (2, vec![]));
        indexer.shutdown().await;
    }

    async fn a_single_read_without_a_websocket_fills_the_store(place) {
        let (fake, store) = (FakeSolana::start().await, place.open().await);
        for n in 1..=9 {
            fake.set(key(n), bytes(&record(n, Verified)));
        }
        let done = backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        assert_eq!((done.accounts, done.written, done.closed), (9, 9, 0));
        fake.close_account(&key(9));
        fake.tick();
        let again = backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        assert_eq!((again.accounts, again.written, again.closed), (8, 0, 1));
        assert!(equal(&store, &fake).await);
        assert_eq!(fake.state().connections, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_waits_until_the_node_reaches_the_slot() {
    let (fake, store) = (FakeSolana::start().await, memory().await);
    fake.set(key(1), bytes(&record(1, Pending)));
    fake.state().not_reached = 3;
    let indexer = spawn(fake.config(), Arc::clone(&store));
    live(&indexer).await;
    assert!(equal(&store, &fake).await);
    assert_eq!(fake.state().not_reached, 0);
    assert_eq!(fake.state().connections, 1, "on one connection");
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_another_cluster_is_not_merged() {
    let (fake, store) = (FakeSolana::start().await, memory().await);
    fake.set(key(1), bytes(&record(1, Pending)));
    let often = SourceConfig { reconcile: Duration::from_millis(100), ..fake.config() };
    let indexer = spawn(often, Arc::clone(&store));
    live(&indexer).await;
    {
        let mut state = fake.state();
        (state.genesis, state.notifies) = ([8; 32], false);
    }
    fake.set(key(2), bytes(&record(2, Pending)));
    until("the mirror gives up", || async {
        matches!(indexer.health.borrow().conn, Conn::Stopped { .. })
    })
    .await;
    let rows = store.rows(None, 9).await.unwrap();
    assert_eq!(rows.iter().map(|r| r.pubkey).collect::<Vec<_>>(), [key(1)]);
    assert_eq!(fake.state().connections, 1);
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chain_time_may_jump_by_days() {
    let (fake, store) = (FakeSolana::start().await, memory().await);
    let indexer = spawn(fake.config(), Arc::clone(&store));
    live(&indexer).await;
    let before = fake.state().unix;
    {
        let mut state = fake.state();
        state.slot += 432_000;
        state.unix += 2 * 86_400;
    }
    fake.set(key(1), bytes(&record(1, Migrated)));
    until("the store follows", || equal(&store, &fake)).await;
    let mut health = indexer.health.clone();
    let jumped = health.wait_for(|h| h.chain_time >= Some(before + 2 * 86_400));
    tokio::time::timeout(TEST_TIMEOUT, jumped).await.unwrap().unwrap();
    assert_eq!(indexer.health.borrow().conn, Conn::Live);
    assert_eq!(fake.state().connections, 1, "the connection was not given up");
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_surfnet_with_old_slots_in_notifications_is_mirrored() {
    let (fake, store) = (FakeSolana::start().await, memory().await);
    fake.set(key(1), bytes(&record(1, Pending)));
    fake.state().surfnet = Some(100);
    let indexer = spawn(fake.config(), Arc::clone(&store));
    live(&indexer).await;
    until("slots pass", || async { indexer.health.borrow().slot > 110 }).await;
    for status in [Migrated, Restored, Verified] {
        fake.set(key(1), bytes(&record(1, status)));
        fake.set(key(2), bytes(&record(2, status)));
        until("the stream alone brings it", || equal(&store, &fake)).await;
    }
    assert_eq!(fake.state().snapshots, 1);
    indexer.shutdown().await;
}
