//! What a node can do wrong, each followed by an equal mirror and a sentence for the operator.
use std::{sync::Arc, time::Duration};

use indexer::{Conn, Health, Indexer, SourceConfig, SqliteStore, Store, spawn};
use sqlx::Connection as _;
use upgrade_manager::state::AccountStatus::{Migrated, Pending, Verified};

use crate::common::{
    PATIENCE, Place,
    fake::FakeSolana,
    fixtures::{PROGRAM_ID, bytes, key, record},
    mirror::{equal, live},
    until,
};

async fn started() -> (FakeSolana, Arc<dyn Store>, Indexer) {
    started_with(|config| config).await
}

async fn started_with(
    change: impl Fn(SourceConfig) -> SourceConfig,
) -> (FakeSolana, Arc<dyn Store>, Indexer) {
    let fake = FakeSolana::start().await;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_in_memory().unwrap());
    for n in 1..=20 {
        fake.set(key(n), bytes(&record(n, Pending)));
    }
    let indexer = spawn(change(fake.config()), Arc::clone(&store));
    live(&indexer).await;
    (fake, store, indexer)
}

async fn health(indexer: &Indexer, what: &str, test: impl FnMut(&Health) -> bool) -> Health {
    let mut health = indexer.health.clone();
    let wait = health.wait_for(test);
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(found) => found.unwrap().clone(),
        Err(_) => panic!("{what}: {:?}", indexer.health.borrow()),
    }
}

fn is_reconnecting(health: &Health) -> bool {
    matches!(health.conn, Conn::Reconnecting { .. })
}

/// Accounts change, one is closed, and nobody is told.
fn change_in_the_dark(fake: &FakeSolana) {
    fake.state().tells = false;
    fake.set(key(1), bytes(&record(1, Migrated)));
    fake.set(key(30), bytes(&record(30, Verified)));
    fake.close_account(&key(2));
    fake.tick();
    fake.state().tells = true;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_socket_is_given_up_and_everything_read_again() {
    let brief = |c| SourceConfig { silence: Duration::from_millis(600), ..c };
    let (fake, store, indexer) = started_with(brief).await;
    (fake.state().heartbeat, fake.state().hold) = (false, true);
    change_in_the_dark(&fake);
    let seen = health(&indexer, "silence is noticed", is_reconnecting).await;
    assert!(seen.error.unwrap().contains("said nothing for 0.6 s"));
    (fake.state().heartbeat, fake.state().hold) = (true, false);
    live(&indexer).await;
    assert!(equal(&store, &fake).await);
    assert!(indexer.health.borrow().error.is_none(), "{:?}", indexer.health.borrow());
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_or_closed_is_made_again() {
    let (fake, store, indexer) = started().await;
    fake.state().hold = true;
    fake.drop_sockets();
    change_in_the_dark(&fake);
    health(&indexer, "the cut is noticed", is_reconnecting).await;
    fake.state().hold = false;
    live(&indexer).await;
    assert!(equal(&store, &fake).await);
    fake.state().hold = true;
    fake.close_sockets(1012);
    let seen = health(&indexer, "the close is noticed", is_reconnecting).await;
    fake.state().hold = false;
    assert!(seen.error.clone().unwrap().contains("code 1012: going away"), "{seen:?}");
    live(&indexer).await;
    assert_eq!(fake.state().connections, 3);
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_ends_the_connection_instead_of_being_skipped() {
    let (fake, store, indexer) = started().await;
    change_in_the_dark(&fake);
    fake.state().hold = true;
    fake.babble();
    let seen = health(&indexer, "it is noticed", is_reconnecting).await;
    fake.state().hold = false;
    assert!(seen.error.unwrap().contains("cannot be read"));
    live(&indexer).await;
    assert!(equal(&store, &fake).await);
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_acknowledged_and_dead_is_made_up_for() {
    let often = |c| SourceConfig { reconcile: Duration::from_millis(150), ..c };
    let (fake, store, indexer) = started_with(often).await;
    fake.state().tells = false;
    for n in 1..=20 {
        fake.set(key(n), bytes(&record(n, Migrated)));
    }
    fake.close_account(&key(3));
    until("the next snapshot finds it", || equal(&store, &fake)).await;
    assert_eq!(fake.state().connections, 1);
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_down_is_named_and_waited_for() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/secret-path-0123456789");
    let config = SourceConfig::new(url, "ws://127.0.0.1:1".into(), PROGRAM_ID);
    let indexer = spawn(config, Arc::new(SqliteStore::open_in_memory().unwrap()));
    let seen = health(&indexer, "it says so", |h| is_reconnecting(h) && h.error.is_some()).await;
    let error = seen.error.unwrap();
    assert!(error.contains(&format!("http://127.0.0.1:{port} did not answer")), "{error}");
    assert!(!error.contains("secret-path"), "{error}");
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_cluster_stops_the_mirror_and_leaves_the_store_alone() {
    let fake = FakeSolana::start().await;
    fake.set(key(1), bytes(&record(1, Pending)));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_in_memory().unwrap());
    store.begin_run(&PROGRAM_ID, &[9; 32], "a test").await.unwrap();
    let indexer = spawn(fake.config(), Arc::clone(&store));
    let stopped =
        |h: &Health| matches!(&h.conn, Conn::Stopped { reason } if reason.contains("genesis hash"));
    health(&indexer, "it stops with the reason", stopped).await;
    assert_eq!(store.rows(None, 9).await.unwrap(), []);
    assert_eq!(store.history_mark().await.unwrap(), 0);
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_changes_its_cluster_stops_the_mirror() {
    let (fake, store, indexer) = started().await;
    let before = store.rows(None, 99).await.unwrap();
    fake.state().genesis = [8; 32];
    fake.state().accounts.clear();
    fake.drop_sockets();
    let stopped = |h: &Health| matches!(&h.conn, Conn::Stopped { reason } if reason.contains("now belongs to the cluster"));
    health(&indexer, "it stops with the reason", stopped).await;
    assert_eq!(store.rows(None, 99).await.unwrap(), before);
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_behind_the_mirror_is_not_believed() {
    let fake = FakeSolana::start().await;
    fake.set(key(1), bytes(&record(1, Pending)));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_in_memory().unwrap());
    let run = store.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap();
    let there = crate::common::fixtures::record_update(1, Verified, 5_000, 0);
    store
        .apply(&run, indexer::Batch { updates: vec![there.clone()], ..Default::default() })
        .await
        .unwrap();
    let present = Arc::new([key(1)].into_iter().collect());
    store.tombstone_missing(&run, 5_000, present, true).await.unwrap();
    let error = indexer::backfill_once(fake.config(), Arc::clone(&store)).await.unwrap_err();
    assert!(error.to_string().contains("behind slot 5000"), "{error}");
    assert_eq!(store.rows(None, 9).await.unwrap()[0].raw, there.raw);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_cut_short_closes_nothing_until_it_is_whole_again() {
    let often = |c| SourceConfig { reconcile: Duration::from_millis(100), ..c };
    let (fake, store, indexer) = started_with(often).await;
    fake.state().cut = 20;
    let seen = health(&indexer, "it is doubted", |h| h.error.is_some()).await;
    assert!(seen.error.unwrap().contains("returned 0 of the 20 manager accounts"));
    let first = fake.state().snapshots;
    until("an empty answer is never believed", || async { fake.state().snapshots > first + 3 })
        .await;
    assert_eq!(store.rows(None, 99).await.unwrap().len(), 20);
    fake.state().cut = 0;
    health(&indexer, "it is believed again", |h| h.error.is_none()).await;
    assert!(equal(&store, &fake).await);
    // Twelve of twenty do close: the same answer twice is believed.
    for n in 1..=12 {
        fake.close_account(&key(n));
    }
    until("it is believed the second time", || equal(&store, &fake)).await;
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_or_foreign_account_is_named_and_kept_and_the_rest_goes_on() {
    let often = |c| SourceConfig { reconcile: Duration::from_millis(100), ..c };
    let (fake, store, indexer) = started_with(often).await;
    let short = bytes(&record(3, Migrated))[..60].to_vec();
    fake.set(key(3), short.clone());
    let seen = health(&indexer, "it is named", |h| h.error.is_some()).await;
    let error = seen.error.unwrap();
    assert!(error.contains(&key(3).to_string()) && error.contains("cut short"), "{error}");
    fake.set(key(4), bytes(&record(4, Migrated)));
    until("another account goes on", || async {
        let rows = store.rows(None, 99).await.unwrap();
        rows.iter().any(|r| r.raw == bytes(&record(4, Migrated)))
    })
    .await;
    until("the bytes are kept", || async {
        store.quarantined().await.unwrap().iter().any(|q| q.raw == short)
    })
    .await;
    fake.set(key(3), bytes(&record(3, Verified)));
    health(&indexer, "it is forgiven", |h| h.error.is_none()).await;
    assert!(store.quarantined().await.unwrap().is_empty());
    let slot = fake.state().slot + 50;
    fake.tell(key(99), slot, key(66), &bytes(&record(9, Migrated)));
    let seen = health(&indexer, "the owner is named", |h| h.error.is_some()).await;
    let error = seen.error.unwrap();
    assert!(
        error.contains(&key(66).to_string()) && error.contains("not to the manager"),
        "{error}"
    );
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_loses_its_connections_loses_no_update() {
    let Some(place) = Place::postgres().await else { return };
    let (fake, store) = (FakeSolana::start().await, place.open().await);
    for n in 1..=20 {
        fake.set(key(n), bytes(&record(n, Pending)));
    }
    let indexer = spawn(fake.config(), Arc::clone(&store));
    live(&indexer).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for round in 0..5u8 {
        for n in 1..=20 {
            let status = if (n + round) % 2 == 0 { Migrated } else { Verified };
            fake.set(key(n), bytes(&record(n, status)));
            if n % 5 == 0 {
                place.sql(cut).await.unwrap();
            }
        }
    }
    until("every update is there", || async {
        match store.rows(None, 1).await {
            Ok(_) => equal(&store, &fake).await,
            Err(_) => false,
        }
    })
    .await;
    assert_eq!(store.progress(false).await.unwrap(), store.progress(true).await.unwrap());
    assert_eq!(fake.state().connections, 1, "the node had no part in it");
    indexer.shutdown().await;
    drop(store);
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_is_waited_for_and_loses_no_update() {
    let place = Place::sqlite();
    let (fake, store) = (FakeSolana::start().await, place.open().await);
    fake.set(key(1), bytes(&record(1, Pending)));
    let indexer = spawn(fake.config(), Arc::clone(&store));
    live(&indexer).await;
    let other = rusqlite::Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    fake.set(key(1), bytes(&record(1, Migrated)));
    let seen = health(&indexer, "the lock is named", |h| h.error.is_some()).await;
    let error = seen.error.unwrap();
    assert!(error.contains("mirror.db does not answer") && error.contains("locked"), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    until("the update is there", || equal(&store, &fake)).await;
    health(&indexer, "and all is well", |h| h.error.is_none()).await;
    indexer.shutdown().await;
}

/// An address that takes connections and requests and never answers.
async fn mute() -> (String, tokio::net::TcpListener) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    (format!("http://{}", listener.local_addr().unwrap()), listener)
}

#[tokio::test(start_paused = true)]
async fn a_node_that_takes_half_a_minute_to_say_nothing_is_not_taken_for_a_good_connection() {
    let (url, _listener) = mute().await;
    let config = SourceConfig {
        timeout: Duration::from_secs(45),
        ..SourceConfig::new(url, "ws://127.0.0.1:1".into(), PROGRAM_ID)
    };
    let indexer = spawn(config, Arc::new(SqliteStore::open_in_memory().unwrap()));
    let mut health = indexer.health.clone();
    let fourth = |h: &Health| matches!(h.conn, Conn::Reconnecting { attempt: 4, .. });
    // Virtual time: it passes at once while nothing else happens.
    let waited = tokio::time::timeout(Duration::from_secs(3_600), health.wait_for(fourth)).await;
    assert!(waited.is_ok(), "{:?}", indexer.health.borrow());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_never_answers_does_not_hold_up_the_end() {
    let (url, listener) = mute().await;
    let config = SourceConfig {
        timeout: Duration::from_secs(600),
        ..SourceConfig::new(url, "ws://127.0.0.1:1".into(), PROGRAM_ID)
    };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_in_memory().unwrap());
    let indexer = spawn(config, store);
    let _asked = listener.accept().await.unwrap();
    let mut last = indexer.health.clone();
    tokio::time::timeout(PATIENCE, indexer.shutdown()).await.unwrap();
    assert!(matches!(last.borrow_and_update().conn, Conn::Stopped { .. }), "on its own accord");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_does_not_hold_up_the_end() {
    let Some(place) = Place::postgres().await else { return };
    let (fake, store) = (FakeSolana::start().await, place.open().await);
    let indexer = spawn(fake.config(), Arc::clone(&store));
    live(&indexer).await;
    let mut other = sqlx::PgConnection::connect(&place.url()).await.unwrap();
    let lock = "BEGIN; LOCK TABLE mirror_state IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    fake.set(key(1), bytes(&record(1, Migrated)));
    until("the mirror waits for the lock", || async {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let mut watcher = sqlx::PgConnection::connect(&place.url()).await.unwrap();
        let n: i64 = sqlx::query_scalar(waiting).fetch_one(&mut watcher).await.unwrap();
        n > 0
    })
    .await;
    tokio::time::timeout(PATIENCE, indexer.shutdown()).await.unwrap();
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    drop(store);
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_cannot_be_is_the_nodes_fault_and_ends_the_connection_only() {
    let (fake, store, indexer) = started().await;
    for nonsense in [u64::MAX, 1 << 63] {
        fake.state().hold = true;
        fake.tell(key(1), nonsense, PROGRAM_ID, &bytes(&record(1, Migrated)));
        let seen = health(&indexer, "it is noticed", is_reconnecting).await;
        let error = seen.error.unwrap();
        assert!(error.contains("websocket") && error.contains("which cannot be"), "{error}");
        fake.state().hold = false;
        live(&indexer).await;
    }
    assert!(equal(&store, &fake).await);
    indexer.shutdown().await;
    fake.state().slot = u64::MAX;
    fake.state().ticks = false;
    let error = indexer::backfill_once(fake.config(), Arc::clone(&store)).await.unwrap_err();
    assert!(error.to_string().contains("getProgramAccounts"), "{error}");
    assert!(store.view().await.unwrap().frontier < 1 << 40);
}
