//! Writer, standby, and fenced writers.
use std::{sync::Arc, time::Duration};

use indexer::{Conn, Marks, Mirror, Reason, StoreError, backfill_once, spawn, webhooks::Delivery};
use upgrade_manager::{
    events::ProposalExpired,
    state::AccountStatus::{Migrated, Pending, Verified},
};

use crate::{
    common::{
        TEST_TIMEOUT,
        fake::{FakeSolana, emitted},
        fixtures::{PROGRAM_ID, bytes, key, record},
        mirror::{equal, health, live},
        past::tx,
        until,
    },
    on_both_stores,
    webhooks::{fast, hook, receiver::Receiver, spec},
};

fn follows(indexer: &indexer::Indexer) -> bool {
    matches!(indexer.health.borrow().conn, Conn::Following { .. })
}

on_both_stores! {
    async fn a_second_mirror_stands_by_and_takes_over(place) {
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

    async fn a_single_read_beside_a_live_writer_waits_and_writes_nothing(place) {
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

    async fn a_fenced_writer_stops_and_takes_over_later(place) {
        let (fake, receiver) = (FakeSolana::start().await, Receiver::start([]).await);
        fake.set(key(1), bytes(&record(1, Pending)));
        let store = place.open().await;
        let hooks = vec![Arc::new(hook(&spec("multisig", receiver.url())))];
        let delivery = Delivery { hooks, pace: fast(), ..Delivery::default() };
        let indexer = Mirror::new(fake.config(), Arc::clone(&store)).webhooks(delivery).spawn();
        live(&indexer).await;
        until("it announces", || async { !store.hooks().await.unwrap().is_empty() }).await;
        let old = indexer::Run { id: store.state().await.unwrap().run_id, ..indexer::Run::default() };
        // As if this process had slept past its lease and another had taken it.
        let taken = "UPDATE mirror_state SET run_id = run_id + 1, lease_owner = 'another',
            lease_until = lease_until + 3600000";
        place.sql(taken).await.unwrap();
        fake.set(key(1), bytes(&record(1, Migrated)));
        if place.is_postgres() {
            let seen = health(&indexer, "it stands by", |h| {
                matches!(&h.conn, Conn::Following { writer } if writer == "another")
            });
            let seen = seen.await;
            assert!(seen.reasons.contains(&Reason::Fenced), "{seen:?}");
            assert_eq!(store.rows(None, 9).await.unwrap()[0].raw, bytes(&record(1, Pending)));
            // The other process ends.
            place.sql("UPDATE mirror_state SET lease_until = 1").await.unwrap();
        }
        // With SQLite, the free file lock shows that no other process is alive.
        until("it goes on under a new run", || async {
            store.state().await.unwrap().run_id > old.id + 1 && equal(&store, &fake).await
        })
        .await;
        health(&indexer, "all is well", |h| h.conn == Conn::Live && h.is_healthy()).await;
        let refused = store.keep(&old, Marks::default()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Fenced { .. }), "{refused}");
        // The state of a run starts anew with the next run.
        let expired = ProposalExpired { proposal: key(60), program: key(50) };
        let slot = fake.state().finalized + 2;
        fake.state().history.push(tx(slot, 1, vec![emitted(&expired)]));
        until("it announces again", || async { receiver.count() >= 1 }).await;
        indexer.shutdown().await;
        assert_eq!(store.state().await.unwrap().lease, None, "it is given back");
    }

    async fn an_idle_writer_notices_that_it_was_fenced(place) {
        let fake = FakeSolana::start().await;
        let store = place.open().await;
        let indexer = spawn(fake.config(), Arc::clone(&store));
        live(&indexer).await;
        fake.state().ticks = false;
        let before = store.state().await.unwrap().run_id;
        place.sql("UPDATE mirror_state SET run_id = run_id + 1, lease_owner = 'another', lease_until = 1")
            .await
            .unwrap();
        until("it takes the lease again", || async {
            let state = store.state().await.unwrap();
            let ours = state.lease.is_some_and(|l| l.owner.contains("pid") && !l.left.is_zero());
            state.run_id > before + 1 && ours
        })
        .await;
        fake.state().ticks = true;
        live(&indexer).await;
        indexer.shutdown().await;
    }

    async fn an_expired_lease_that_nobody_took_is_renewed(place) {
        let fake = FakeSolana::start().await;
        let store = place.open().await;
        let indexer = spawn(fake.config(), Arc::clone(&store));
        live(&indexer).await;
        let before = store.state().await.unwrap().run_id;
        place.sql("UPDATE mirror_state SET lease_until = 1").await.unwrap();
        until("it runs again", || async {
            store.state().await.unwrap().lease.is_some_and(|lease| !lease.left.is_zero())
        })
        .await;
        assert_eq!(store.state().await.unwrap().run_id, before, "the run goes on");
        fake.set(key(1), bytes(&record(1, Pending)));
        until("it writes", || equal(&store, &fake)).await;
        assert_eq!(indexer.health.borrow().conn, Conn::Live);
        indexer.shutdown().await;
    }

    async fn an_idle_writer_keeps_its_lease(place) {
        let fake = FakeSolana::start().await;
        let store = place.open().await;
        let indexer = spawn(fake.config(), Arc::clone(&store));
        live(&indexer).await;
        fake.state().ticks = false;
        let elsewhere = place.open().await;
        let began = tokio::time::Instant::now();
        while began.elapsed() < indexer::store::LEASE_DURATION + Duration::from_secs(1) {
            let refused = elsewhere.begin_run(&PROGRAM_ID, &[1; 32], "another").await.unwrap_err();
            assert!(matches!(refused, StoreError::Leased { .. }), "{refused}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        tokio::time::timeout(TEST_TIMEOUT, indexer.shutdown()).await.unwrap();
        elsewhere.begin_run(&PROGRAM_ID, &[1; 32], "another").await.unwrap();
    }
}
