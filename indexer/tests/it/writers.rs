//! Who writes, who follows, and what becomes of a writer that has lost its place.
use std::{sync::Arc, time::Duration};

use indexer::{Conn, Marks, Reason, StoreError, backfill_once, spawn};
use upgrade_manager::state::AccountStatus::{Migrated, Pending, Verified};

use crate::{
    common::{
        PATIENCE,
        fake::FakeSolana,
        fixtures::{PROGRAM_ID, bytes, key, record},
        mirror::{equal, live},
        until,
    },
    on_both_stores,
};

fn follows(indexer: &indexer::Indexer) -> bool {
    matches!(indexer.health.borrow().conn, Conn::Following { .. })
}

on_both_stores! {
    async fn a_second_mirror_follows_the_first_and_takes_over_when_that_one_ends(place) {
        let fake = FakeSolana::start().await;
        fake.set(key(1), bytes(&record(1, Pending)));
        let store = place.open().await;
        let first = spawn(fake.config(), Arc::clone(&store));
        live(&first).await;
        let elsewhere = place.open().await;
        let second = spawn(fake.config(), Arc::clone(&elsewhere));
        until("the second follows", || async { follows(&second) }).await;
        let before = *second.revision.borrow();
        fake.set(key(1), bytes(&record(1, Migrated)));
        until("what the first writes reaches the second", || async {
            equal(&store, &fake).await && *second.revision.borrow() > before
        })
        .await;
        until("and it is up to date", || async {
            let health = second.health.borrow().clone();
            health.is_healthy() && health.last_frame.is_some() && health.confirmed > 100
        })
        .await;
        assert_eq!(fake.state().connections, 1, "only one of them listens");
        first.shutdown().await;
        live(&second).await;
        fake.set(key(1), bytes(&record(1, Verified)));
        until("the second writes now", || equal(&store, &fake)).await;
        assert!(store.ops(99).await.unwrap().iter().any(|op| op.kind == "TakenOver"));
        second.shutdown().await;
        assert_eq!(store.state().await.unwrap().lease, None, "it is given back");
    }

    async fn a_reading_beside_a_living_writer_waits_for_it_and_writes_nothing(place) {
        let fake = FakeSolana::start().await;
        fake.set(key(1), bytes(&record(1, Pending)));
        let store = place.open().await;
        let indexer = spawn(fake.config(), Arc::clone(&store));
        live(&indexer).await;
        fake.set(key(1), bytes(&record(1, Migrated)));
        let run = store.state().await.unwrap().run_id;
        let now = fake.state().slot;
        let elsewhere = place.open().await;
        let done = backfill_once(fake.config(), Arc::clone(&elsewhere)).await.unwrap();
        assert!(done.slot >= now && done.writer.is_some_and(|w| w.contains("pid")), "{}", done.slot);
        assert!(equal(&store, &fake).await);
        assert_eq!(store.state().await.unwrap().run_id, run, "nobody was pushed aside");
        indexer.shutdown().await;
        let done = backfill_once(fake.config(), elsewhere).await.unwrap();
        assert_eq!((done.writer, done.accounts), (None, 1));
        assert_eq!(store.state().await.unwrap().lease, None, "it is given back");
    }

    async fn a_writer_that_was_pushed_aside_stops_and_writes_nothing_more(place) {
        let fake = FakeSolana::start().await;
        fake.set(key(1), bytes(&record(1, Pending)));
        let store = place.open().await;
        let indexer = spawn(fake.config(), Arc::clone(&store));
        live(&indexer).await;
        let run = store.state().await.unwrap().run_id;
        // Somebody who believes that the lease has run out.
        place.sql("UPDATE mirror_state SET run_id = run_id + 1, lease_owner = 'another'").await.unwrap();
        fake.set(key(1), bytes(&record(1, Migrated)));
        until("it stops", || async {
            matches!(&indexer.health.borrow().conn, Conn::Stopped { reason } if reason.contains("taken over"))
        })
        .await;
        let health = indexer.health.borrow().clone();
        assert!(health.reasons.contains(&Reason::Fenced), "{health:?}");
        assert_eq!(store.rows(None, 9).await.unwrap()[0].raw, bytes(&record(1, Pending)));
        let old = indexer::Run { id: run, ..indexer::Run::default() };
        let refused = store.keep(&old, Marks::default()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Fenced { .. }), "{refused}");
        indexer.shutdown().await;
        let lease = store.state().await.unwrap().lease.unwrap();
        assert_eq!(lease.owner, "another", "and takes nothing from who has it now");
    }

    async fn the_lease_outlives_its_term_while_nothing_happens(place) {
        let fake = FakeSolana::start().await;
        let store = place.open().await;
        let indexer = spawn(fake.config(), Arc::clone(&store));
        live(&indexer).await;
        fake.state().ticks = false;
        let elsewhere = place.open().await;
        let began = tokio::time::Instant::now();
        while began.elapsed() < indexer::store::LEASE + Duration::from_secs(1) {
            let refused = elsewhere.begin_run(&PROGRAM_ID, &[1; 32], "another").await.unwrap_err();
            assert!(matches!(refused, StoreError::Leased { .. }), "{refused}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        tokio::time::timeout(PATIENCE, indexer.shutdown()).await.unwrap();
        elsewhere.begin_run(&PROGRAM_ID, &[1; 32], "another").await.unwrap();
    }
}
