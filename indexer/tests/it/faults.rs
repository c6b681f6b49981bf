//! Faults of a node, each followed by an equal mirror and a sentence for the operator.
use std::{sync::Arc, time::Duration};

use indexer::{Conn, Health, Indexer, SourceConfig, SqliteStore, Store, spawn};
use sqlx::Connection as _;
use upgrade_manager::state::AccountStatus::{Migrated, Pending, Verified};

use crate::common::{
    Place, TEST_TIMEOUT,
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
    match tokio::time::timeout(TEST_TIMEOUT, wait).await {
        Ok(found) => found.unwrap().clone(),
        Err(_) => panic!("{what}: {:?}", indexer.health.borrow()),
    }
}

fn is_reconnecting(health: &Health) -> bool {
    matches!(health.conn, Conn::Reconnecting { .. })
}

/// Changes accounts and closes one, without notifications.
fn change_silently(fake: &FakeSolana) {
    fake.state().notifies = false;
    fake.set(key(1), bytes(&record(1, Migrated)));
    fake.set(key(30), bytes(&record(30, Verified)));
    fake.close_account(&key(2));
    fake.tick();
    fake.state().notifies = true;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_message_ends_the_connection() {
    let (fake, store, indexer) = started().await;
    change_silently(&fake);
    fake.state().hold = true;
    fake.send_malformed();
    let seen = health(&indexer, "it is noticed", is_reconnecting).await;
    fake.state().hold = false;
    assert!(seen.error.unwrap().contains("cannot be read"));
    live(&indexer).await;
    assert!(equal(&store, &fake).await);
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_node_is_named_and_retried() {
    // No test server uses this port.
    let url = "http://127.0.0.1:9/secret-path-0123456789".to_owned();
    let config = SourceConfig::new(url, "ws://127.0.0.1:1".into(), PROGRAM_ID);
    let indexer = spawn(config, Arc::new(SqliteStore::open_in_memory().unwrap()));
    let seen = health(&indexer, "it says so", |h| is_reconnecting(h) && h.error.is_some()).await;
    let error = seen.error.unwrap();
    assert!(error.contains("http://127.0.0.1:9 did not answer"), "{error}");
    assert!(!error.contains("secret-path"), "{error}");
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_delays_writes_and_loses_none() {
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

/// An address that accepts connections and requests and never answers.
async fn mute() -> (String, tokio::net::TcpListener) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    (format!("http://{}", listener.local_addr().unwrap()), listener)
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_silent_for_half_a_minute_does_not_reset_the_backoff() {
    let (url, _listener) = mute().await;
    let config = SourceConfig {
        timeout: Duration::from_secs(45),
        ..SourceConfig::new(url, "ws://127.0.0.1:1".into(), PROGRAM_ID)
    };
    let indexer = spawn(config, Arc::new(SqliteStore::open_in_memory().unwrap()));
    let mut health = indexer.health.clone();
    let fourth = |h: &Health| matches!(h.conn, Conn::Reconnecting { attempt: 4, .. });
    // Paused time: it advances at once while all tasks are idle.
    let waited = tokio::time::timeout(Duration::from_secs(3_600), health.wait_for(fourth)).await;
    assert!(waited.is_ok(), "{:?}", indexer.health.borrow());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mute_node_does_not_delay_shutdown() {
    let (url, listener) = mute().await;
    let config = SourceConfig {
        timeout: Duration::from_secs(600),
        ..SourceConfig::new(url, "ws://127.0.0.1:1".into(), PROGRAM_ID)
    };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_in_memory().unwrap());
    let indexer = spawn(config, store);
    let _asked = listener.accept().await.unwrap();
    let mut last = indexer.health.clone();
    tokio::time::timeout(TEST_TIMEOUT, indexer.shutdown()).await.unwrap();
    assert!(matches!(last.borrow_and_update().conn, Conn::Stopped { .. }), "on its own accord");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_database_does_not_delay_shutdown() {
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
    tokio::time::timeout(TEST_TIMEOUT, indexer.shutdown()).await.unwrap();
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    drop(store);
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_slot_ends_only_the_connection() {
    let (fake, store, indexer) = started().await;
    for nonsense in [u64::MAX, 1 << 63] {
        fake.state().hold = true;
        fake.notify(key(1), nonsense, PROGRAM_ID, &bytes(&record(1, Migrated)));
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
