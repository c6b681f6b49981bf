//! The audit log from transaction history: complete, ordered, independent of how it was read.
use std::{collections::BTreeSet, sync::Arc, time::Duration};

use indexer::{SourceConfig, Store, backfill_once, spawn};
use upgrade_manager::{
    events::{AccountClosed, ClosedKind},
    state::AccountStatus::Migrated,
};

use crate::{
    common::{
        fake::{FakeSolana, Quirk, Tx, emitted},
        fixtures::{PROGRAM_ID, bytes, key, record},
        mirror::{equal, live},
        past::{head, read, tricky, tx, vote},
        until,
    },
    on_both_stores,
};

on_both_stores! {
    async fn the_head_does_not_depend_on_restarts(place) {
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
async fn an_account_closed_event_triggers_a_snapshot() {
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
async fn a_pruned_transaction_stops_the_log() {
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
async fn history_of_another_cluster_is_never_logged() {
    let fake = FakeSolana::start().await;
    let store: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
    fake.set(key(1), bytes(&record(1, Migrated)));
    let indexer = spawn(fake.config(), Arc::clone(&store));
    live(&indexer).await;
    // The websocket stays open, so only the read itself can notice.
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

/// 60 transactions with one vote each, three per slot from slot 11 on.
fn long() -> Vec<Tx> {
    (1..=60u8).map(|n| tx(10 + u64::from(n.div_ceil(3)), n, vec![vote(n, 1)])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn page_size_and_order_within_a_slot_do_not_change_the_head() {
    let mut heads = BTreeSet::new();
    for (size, quirk) in [(1_000, Quirk::None), (7, Quirk::None), (8, Quirk::Shuffled)] {
        let fake = FakeSolana::start().await;
        let store: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
        {
            let mut state = fake.state();
            (state.history, state.signatures, state.quirk) = (long(), size, quirk);
            (state.ticks, state.slot, state.finalized) = (false, 100, 18);
        }
        backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        assert_eq!(read(&store).await.len(), 24, "as far as it is final");
        fake.state().finalized = 60;
        backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        assert_eq!(read(&store).await.len(), 60);
        heads.insert(head(&store).await);
    }
    assert_eq!(heads.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_the_logs_last_slot_is_refused() {
    let fake = FakeSolana::start().await;
    let store: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
    fake.state().history = long();
    (fake.state().ticks, fake.state().slot, fake.state().finalized) = (false, 100, 15);
    backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
    let before = head(&store).await;
    // Slots 16 to 19 are gone, so the list no longer reaches the log's last slot.
    fake.state().history.retain(|tx| tx.slot > 19);
    fake.state().finalized = 60;
    let error = backfill_once(fake.config(), Arc::clone(&store)).await.unwrap_err().to_string();
    assert!(error.contains("may be missing"), "{error}");
    assert_eq!(head(&store).await, before, "nothing behind the hole");
    fake.state().history = long();
    backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
    assert_eq!(read(&store).await.len(), 60);
}
