//! Two processes must not write one store: the lease, the fencing token, and read-only users.
use std::sync::Arc;

use indexer::{
    Announcement, Batch, Close, Marks, MirrorStore, PubkeySet, Retention, Run, Store, StoreError,
    store::LEASE_DURATION,
};
use upgrade_manager::state::AccountStatus;

use crate::{
    common::{
        fixtures::{PROGRAM_ID, RUN, key, record_update},
        until,
    },
    on_both_stores,
};

const GENESIS: [u8; 32] = [1; 32];

async fn begin(store: &dyn Store, owner: &str) -> indexer::store::Result<Run> {
    store.begin_run(&PROGRAM_ID, &GENESIS, owner).await
}

fn batch(n: u8, slot: u64) -> Batch {
    let updates = vec![record_update(n, AccountStatus::Pending, slot, 1)];
    Batch { updates, ..Batch::default() }
}

fn announcement() -> Announcement {
    Announcement {
        event_id: [3; 32],
        kind: "ProposalCreated".into(),
        slot: 4,
        chain_time: None,
        subject: None,
        detail: "{}".into(),
    }
}

/// Every write of an indexer must fail and name the new owner.
async fn every_write_is_fenced(store: &dyn Store, old: &Run, owner: &str) {
    let present = Arc::new(PubkeySet::default());
    let (sender, rows) = tokio::sync::mpsc::channel(1);
    sender.send(indexer::Fill::End).await.unwrap();
    let close = Close { pubkey: key(1), slot: 90, write_version: 1 };
    let closes = Batch { closes: vec![close], ..Batch::default() };
    let refused = [
        ("apply", store.apply(old, batch(1, 90)).await.err()),
        ("apply nothing", store.apply(old, Batch::default()).await.err()),
        ("apply closes", store.apply(old, closes).await.err()),
        ("tombstones", store.tombstone_missing(old, 99, Arc::clone(&present), present).await.err()),
        ("fill", store.fill(old, rows).await.err()),
        ("keep", store.keep(old, Marks::default()).await.err()),
        ("undo", store.undo(old, &[90]).await.err()),
        ("audit", store.append_audit(old, vec![], 99).await.err()),
        ("enqueue", store.enqueue(old, &announcement()).await.err()),
        ("retain", store.retain(old, &Retention::default()).await.err()),
    ];
    for (what, error) in refused {
        match error {
            Some(StoreError::Fenced { owner: by, .. }) => assert_eq!(by, owner, "{what}"),
            other => panic!("{what} was not fenced off: {other:?}"),
        }
    }
}

on_both_stores! {
    async fn a_fenced_run_cannot_write(place) {
        let store = place.open().await;
        let old = begin(&*store, "desk one").await.unwrap();
        store.apply(&old, batch(1, 10)).await.unwrap();
        store.end_run(&old).await.unwrap();
        let new = begin(&*store, "desk two").await.unwrap();
        assert!(new.id > old.id);
        let (rows, before) = (store.rows(None, 9).await.unwrap(), store.state().await.unwrap());
        every_write_is_fenced(&*store, &old, "desk two").await;
        let after = store.state().await.unwrap();
        assert_eq!(store.rows(None, 9).await.unwrap(), rows);
        assert_eq!((after.rev, after.frontier_slot, after.snapshot_slot, after.history_slot),
            (before.rev, before.frontier_slot, before.snapshot_slot, before.history_slot));
        store.apply(&new, batch(1, 91)).await.unwrap();
    }

    async fn the_zero_run_writes_only_before_the_first_run(place) {
        let store = place.open().await;
        store.apply(&RUN, batch(1, 10)).await.unwrap();
        let run = begin(&*store, "desk one").await.unwrap();
        every_write_is_fenced(&*store, &RUN, "desk one").await;
        store.apply(&run, batch(1, 11)).await.unwrap();
    }

    async fn a_held_lease_refuses_others_and_names_its_holder(place) {
        let store = place.open().await;
        let run = begin(&*store, "desk one").await.unwrap();
        // A second store instance stands for another process.
        if place.is_postgres() {
            let other = place.open().await;
            let error = begin(&*other, "desk two").await.unwrap_err();
            let StoreError::Leased { owner, left, .. } = &error else { panic!("{error}") };
            assert!(owner == "desk one" && *left <= LEASE_DURATION && !left.is_zero(), "{error}");
            assert!(!error.is_transient() || error.to_string().contains("desk one"), "{error}");
            assert_eq!(other.state().await.unwrap().run_id, run.id, "a refused run is not counted");
        }
        let lease = store.state().await.unwrap().lease.unwrap();
        assert_eq!(lease.owner, "desk one");
        assert!(lease.left <= LEASE_DURATION && !lease.left.is_zero());
        store.apply(&run, batch(1, 10)).await.unwrap();
    }

    async fn a_released_lease_is_free_at_once(place) {
        let store = place.open().await;
        let old = begin(&*store, "desk one").await.unwrap();
        store.end_run(&old).await.unwrap();
        assert_eq!(store.state().await.unwrap().lease, None);
        let new = begin(&*store, "desk two").await.unwrap();
        store.end_run(&old).await.unwrap();
        assert_eq!(store.state().await.unwrap().lease.unwrap().owner, "desk two");
        store.apply(&new, batch(1, 10)).await.unwrap();
    }

    async fn an_expired_lease_can_be_taken_and_fences_its_holder(place) {
        let store = place.open().await;
        let old = begin(&*store, "desk one").await.unwrap();
        // As if the holder had not renewed it in time.
        place.sql("UPDATE mirror_state SET lease_until = 1").await.unwrap();
        let lease = store.state().await.unwrap().lease.unwrap();
        assert!(lease.left.is_zero(), "{lease:?}");
        let new = begin(&*store, "desk two").await.unwrap();
        every_write_is_fenced(&*store, &old, "desk two").await;
        store.keep(&new, Marks::default()).await.unwrap();
    }

    async fn renewal_extends_the_lease_and_only_raises_marks(place) {
        let store = place.open().await;
        let run = begin(&*store, "desk one").await.unwrap();
        place.sql("UPDATE mirror_state SET lease_until = 1").await.unwrap();
        let marks = Marks { frontier: Some(20), root: Some(18), confirmed: Some(25) };
        store.keep(&run, marks).await.unwrap();
        let back = Marks { frontier: Some(2), root: None, confirmed: Some(3) };
        store.keep(&run, back).await.unwrap();
        let state = store.state().await.unwrap();
        assert_eq!((state.frontier_slot, state.root_slot, state.confirmed_slot), (20, 18, 25));
        assert!(!state.lease.unwrap().left.is_zero());
        assert_eq!(begin(&*store, "desk one").await.unwrap().root_slot, 18);
    }

    async fn of_concurrent_begins_one_gets_the_lease(place) {
        let (one, two) = (place.open().await, place.open().await);
        let stores = [&one, &two];
        let tries = stores.iter().enumerate().flat_map(|(n, store)| {
            (0..3).map(move |m| {
                let store = std::sync::Arc::clone(store);
                tokio::spawn(async move { begin(&*store, &format!("desk {n} {m}")).await })
            })
        });
        let mut ids = vec![];
        for attempt in tries.collect::<Vec<_>>() {
            ids.extend(attempt.await.unwrap().ok().map(|run| run.id));
        }
        ids.sort_unstable();
        let state = one.state().await.unwrap();
        assert_eq!(ids.last(), Some(&state.run_id), "the newest run is one that was given out");
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "no number twice: {ids:?}");
        if place.is_postgres() {
            assert_eq!(ids.len(), 1, "the others found a lease: {ids:?}");
        }
    }
}

mod on_postgres {
    use indexer::PostgresStore;
    use sqlx::{Connection, PgConnection, raw_sql};

    use super::*;
    use crate::common::Place;

    /// The store's address for a new read-only user `name`.
    async fn reader(place: &Place, name: &str, grant: &str) -> String {
        let sql = format!(
            "DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN PASSWORD 'reader'; {grant}"
        );
        place.sql(&sql).await.unwrap();
        let (_, rest) =
            place.url().rsplit_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        format!("postgres://{name}:reader@{rest}")
    }

    async fn every_write_is_refused(store: &dyn Store) {
        assert!(store.read_only());
        let refused = [
            begin(store, "desk").await.err(),
            store.apply(&RUN, batch(1, 1)).await.err(),
            store.keep(&RUN, Marks::default()).await.err(),
            store.end_run(&RUN).await.err(),
            store.claim_notice("a").await.err(),
            store.log_op("a", &serde_json::json!({})).await.err(),
            store.hook("a", 1).await.err(),
            store.forget_dead("a", 1).await.err(),
        ];
        for error in refused {
            let error = error.unwrap();
            assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
            assert!(error.to_string().contains("may only be read"), "{error}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_read_only_user_reads_everything_and_writes_nothing() {
        let Some(place) = Place::postgres().await else { return };
        let name = format!("reader_{}", std::process::id());
        let grant = format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}");
        let store = place.open().await;
        let url = reader(&place, &name, &grant).await;
        store.apply(&RUN, batch(1, 10)).await.unwrap();
        let readers = PostgresStore::connect(&url).await.unwrap();
        every_write_is_refused(&readers).await;
        assert_eq!(readers.rows(None, 9).await.unwrap(), store.rows(None, 9).await.unwrap());
        assert_eq!(readers.state().await.unwrap(), store.state().await.unwrap());
        drop((store, readers));
        place.sql(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).await.unwrap();
        place.remove().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_read_only_user_on_an_empty_database_gets_advice() {
        let Some(place) = Place::postgres().await else { return };
        let name = format!("setreader_{}", std::process::id());
        let grant = format!(
            "ALTER ROLE {name} SET default_transaction_read_only = on; GRANT postgres TO {name}"
        );
        let url = reader(&place, &name, &grant).await;
        let error = PostgresStore::connect(&url).await.err().unwrap();
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
        assert!(error.to_string().contains("may only read"), "{error}");
        drop(place.open().await);
        every_write_is_refused(&PostgresStore::connect(&url).await.unwrap()).await;
        place.sql(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).await.unwrap();
        place.remove().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_held_lock_becomes_an_error_in_time() {
        let Some(place) = Place::postgres().await else { return };
        let store = place.open().await;
        let run = begin(&*store, "desk one").await.unwrap();
        let mut other = PgConnection::connect(&place.url()).await.unwrap();
        raw_sql("BEGIN; SELECT * FROM mirror_state FOR UPDATE").execute(&mut other).await.unwrap();
        let error = store.apply(&run, batch(1, 10)).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        // Reads still work.
        assert_eq!(store.state().await.unwrap().run_id, run.id);
        raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        store.apply(&run, batch(1, 10)).await.unwrap();
        drop((store, other));
        place.remove().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn slow_readers_do_not_delay_writes() {
        let Some(place) = Place::postgres().await else { return };
        let store = place.open().await;
        let run = begin(&*store, "desk one").await.unwrap();
        let mut other = PgConnection::connect(&place.url()).await.unwrap();
        // Locks the version records, so that readers of them wait.
        raw_sql("BEGIN; LOCK TABLE quarantine IN ACCESS EXCLUSIVE MODE")
            .execute(&mut other)
            .await
            .unwrap();
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let store = std::sync::Arc::clone(&store);
                tokio::spawn(async move { store.quarantined().await })
            })
            .collect();
        until("all readers wait", || async {
            let sql = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let n: i64 = sqlx::query_scalar(sql)
                .fetch_one(&mut PgConnection::connect(&place.url()).await.unwrap())
                .await
                .unwrap();
            n >= 3
        })
        .await;
        store.keep(&run, Marks { root: Some(3), ..Marks::default() }).await.unwrap();
        raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        for reader in waiting {
            reader.await.unwrap().unwrap();
        }
        drop((store, other));
        place.remove().await;
    }
}
