//! Stores that fail, are slow, or have two writers.
use std::time::Duration;

use indexer::{Batch, Conn, Health, Reason, SourceConfig, StoreError};
use upgrade_manager::state::AccountStatus::{Migrated, Pending, Verified};

use crate::{
    common::{
        Place,
        fixtures::{PROGRAM_ID, bytes, key, record, record_update},
        mirror::{Mirror, live},
        until,
    },
    on_both_stores,
};

/// A foreign lock that blocks writes to the store.
enum Blocker {
    Sqlite(rusqlite::Connection),
    Postgres(sqlx::PgConnection),
}

impl Blocker {
    async fn on(place: &Place) -> Self {
        if place.is_postgres() {
            use sqlx::Connection as _;
            let mut other = sqlx::PgConnection::connect(&place.url()).await.unwrap();
            let lock = "BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE";
            sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
            Self::Postgres(other)
        } else {
            let other = rusqlite::Connection::open(place.path()).unwrap();
            other.busy_timeout(Duration::from_secs(20)).unwrap();
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
            Self::Sqlite(other)
        }
    }

    async fn off(self) {
        match self {
            Self::Sqlite(other) => other.execute_batch("ROLLBACK").unwrap(),
            Self::Postgres(mut other) => {
                sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
            }
        }
    }
}

on_both_stores! {
    async fn hazard_18_the_database_fails_during_a_batch(place) {
        let mirror = Mirror::start(place, 20).await;
        let fake = &mirror.fake;
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        for round in 0..4u8 {
            for n in 1..=20 {
                let status = if (n + round) % 2 == 0 { Migrated } else { Verified };
                fake.set(key(n), bytes(&record(n, status)));
                if n % 5 == 0 && place.is_postgres() {
                    place.sql(cut).await.unwrap();
                }
            }
            // Longer than the store waits for a lock, so the batch fails and is retried.
            let blocker = Blocker::on(place).await;
            fake.set(key(21 + round), bytes(&record(21 + round, Migrated)));
            if round == 3 {
                mirror.health("the database is named", |h| h.reasons.contains(&Reason::DbDown)).await;
            }
            blocker.off().await;
        }
        mirror.equal("every update is there").await;
        mirror.health("all is well", |h| h.is_healthy() && h.error.is_none()).await;
        until("it is counted", || async { mirror.metric("db_retries_total") >= 1.0 }).await;
        assert_eq!(fake.state().connections, 1, "the node had no part in it");
        mirror.end().await;
    }

    async fn hazard_19_updates_come_faster_than_they_can_be_written(place) {
        let mirror = Mirror::start(place, 200).await;
        let fake = &mirror.fake;
        // A node queues a limited number of messages for a slow client, then ends the connection.
        fake.state().max_waiting = 2_000;
        let blocker = Blocker::on(place).await;
        let mut deepest = 0.0f64;
        for round in 0..150u32 {
            let status = if round % 2 == 0 { Migrated } else { Verified };
            for n in 1..=200 {
                fake.set(key(n), bytes(&record(n, status)));
            }
            // Sends without waiting for the mirror.
            tokio::time::sleep(Duration::from_millis(10)).await;
            deepest = deepest.max(mirror.metric("queue_depth"));
        }
        assert!(deepest <= 10_000.0, "30,000 messages, and {deepest} of them wait");
        blocker.off().await;
        live(&mirror.indexer).await;
        mirror.equal("the newest of each is there").await;
        mirror.equals_a_fresh_one().await;
        let batches = mirror.metric("batch_rows_count");
        assert!(batches < 200.0, "states of one account are one write: {batches}");
        mirror.end().await;
    }

    async fn hazard_21_two_indexers_write_one_store(place) {
        let first = Mirror::start(place, 3).await;
        let (fake, store) = (first.fake.clone(), place.open().await);
        let refused = store.begin_run(&PROGRAM_ID, &[1; 32], "second").await.unwrap_err();
        assert!(matches!(refused, StoreError::Leased { .. }), "{refused}");
        let said = refused.to_string();
        assert!(said.contains("is written by") && said.contains("Stop that one first"), "{said}");
        // The second indexer stands by.
        let second = Mirror::of(fake.clone(), place, |c| c).await;
        let follows = |h: &Health| matches!(h.conn, Conn::Following { .. });
        second.health("it follows", follows).await;
        fake.set(key(1), bytes(&record(1, Verified)));
        let revision = *second.indexer.revision.borrow();
        second.equal("it sees what the first one writes").await;
        let mut seen = second.indexer.revision.clone();
        let waited = seen.wait_for(|rev| *rev > revision);
        tokio::time::timeout(crate::common::TEST_TIMEOUT, waited).await.unwrap().unwrap();
        assert!(first.indexer.health.borrow().conn == Conn::Live, "the first one goes on");
        // When the first ends, the second takes over, and the first run is fenced.
        let runs = first.store.state().await.unwrap().run_id;
        let (_, old_store) = first.end().await;
        live(&second.indexer).await;
        fake.set(key(2), bytes(&record(2, Migrated)));
        second.equal("it writes now").await;
        let old = indexer::Run { id: runs, ..Default::default() };
        let late = Batch { updates: vec![record_update(3, Migrated, 1 << 40, 1)], ..Batch::default() };
        let fenced = old_store.apply(&old, late).await.unwrap_err();
        assert!(matches!(fenced, StoreError::Fenced { .. }), "{fenced}");
        assert!(fenced.to_string().contains("taken over"), "{fenced}");
        second.equal("nothing of it was written").await;
        second.end().await;
    }

    async fn hazard_21_the_writer_dies_without_releasing_the_lease(place) {
        let first = Mirror::start(place, 3).await;
        let (fake, store) = (first.fake.clone(), place.open().await);
        let owner = store.state().await.unwrap().lease.map(|l| l.owner);
        assert!(owner.is_some());
        // As if killed: the lease is not released.
        drop(first);
        let second = Mirror::of(fake.clone(), place, |c: SourceConfig| c).await;
        live(&second.indexer).await;
        fake.set(key(1), bytes(&record(1, Pending)));
        fake.set(key(2), bytes(&record(2, Verified)));
        second.equal("the lease ran out, or its owner was known to be dead").await;
        second.end().await;
    }
}
