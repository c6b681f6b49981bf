//! The audit log from transaction history: exact, in order, and the same however it was read.
use std::{sync::Arc, time::Duration};

use indexer::{SourceConfig, Store, backfill_once, spawn};
use upgrade_manager::{
    events::{AccountClosed, ClosedKind},
    state::AccountStatus::Migrated,
};

use crate::{
    common::{
        fake::{FakeSolana, emitted},
        fixtures::{PROGRAM_ID, bytes, key, record},
        mirror::{equal, live},
        past::{head, read, tricky, tx, vote},
        until,
    },
    on_both_stores,
};

on_both_stores! {
    async fn another_reader_with_other_restarts_gets_the_same_head(place) {
        let (fake, store) = (FakeSolana::start().await, place.open().await);
        fake.state().history = tricky();
        fake.state().finalized = 40;
        backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        let other: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
        let run = other.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap();
        let all = store.audit(Some(0), 100).await.unwrap();
        for row in &all[..3] {
            let entry = indexer::AuditEntry {
                slot: row.slot, tx_index: row.tx_index, ix_index: row.ix_index,
                inner_index: row.inner_index, signature: row.signature.parse().unwrap(),
                time: None, payload: row.payload.clone(),
            };
            // Killed in the middle of slot 20, after its first event.
            other.append_audit(&run, vec![entry], row.slot - 1).await.unwrap();
        }
        backfill_once(fake.config(), Arc::clone(&other)).await.unwrap();
        assert_eq!(head(&store).await, head(&other).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_closing_makes_the_mirror_read_everything_again_at_once() {
    let fake = FakeSolana::start().await;
    let store: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
    for n in 1..=3 {
        fake.set(key(n), bytes(&record(n, Migrated)));
    }
    let hourly = SourceConfig { reconcile: Duration::from_secs(3_600), ..fake.config() };
    let indexer = spawn(hourly, Arc::clone(&store));
    live(&indexer).await;
    fake.close_account(&key(2));
    let slot = fake.state().finalized + 1;
    let closed = AccountClosed {
        kind: ClosedKind::AccountVersion,
        account: key(2),
        program: key(50),
        refund: key(1),
    };
    fake.state().history.push(tx(slot, 9, vec![emitted(&closed)]));
    until("the close is found", || equal(&store, &fake)).await;
    assert_eq!(store.audit(None, 1).await.unwrap()[0].kind, "AccountClosed");
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_the_node_no_longer_has_stops_the_log_instead_of_leaving_a_hole() {
    let fake = FakeSolana::start().await;
    let store: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
    let mut lost = tx(20, 2, vec![vote(2, 2)]);
    fake.state().history =
        vec![tx(10, 1, vec![vote(1, 1)]), lost.clone(), tx(30, 3, vec![vote(3, 3)])];
    fake.state().lost = Some(lost.signature.clone());
    let error = backfill_once(fake.config(), Arc::clone(&store)).await.unwrap_err();
    assert!(error.to_string().contains("getTransaction"), "{error}");
    assert!(read(&store).await.len() < 2, "nothing behind the hole");
    fake.state().lost = None;
    lost.slot = 20;
    backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
    assert_eq!(read(&store).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_of_another_cluster_behind_the_same_address_is_never_logged() {
    let fake = FakeSolana::start().await;
    let store: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
    fake.set(key(1), bytes(&record(1, Migrated)));
    let indexer = spawn(fake.config(), Arc::clone(&store));
    live(&indexer).await;
    // The websocket still stands: only the reading itself can notice.
    let slot = {
        let mut state = fake.state();
        state.genesis = [8; 32];
        let slot = state.finalized;
        state.history.push(tx(slot, 9, vec![vote(1, 1)]));
        slot
    };
    until("it is noticed", || async {
        let error = indexer.health.borrow().error.clone();
        error.is_some_and(|e| e.contains("now belongs to the cluster"))
    })
    .await;
    fake.drop_sockets();
    until("the mirror gives up", || async {
        matches!(indexer.health.borrow().conn, indexer::Conn::Stopped { .. })
    })
    .await;
    until("time passes", || async { fake.state().finalized > slot + 20 }).await;
    assert_eq!(store.audit(None, 9).await.unwrap(), []);
    indexer.shutdown().await;
}
