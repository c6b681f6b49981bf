//! A Postgres server that refuses writes for a while, as during a failover: the mirror does not end, and
//! resumes by itself.
use indexer::{Conn, Health, IndexerError, PostgresStore, Reason, StoreError, backfill_once};
use upgrade_manager::state::AccountStatus::{Migrated, Pending, Verified};

use crate::common::{
    Place,
    fake::FakeSolana,
    fixtures::{bytes, key, record},
    mirror::{Mirror, live},
    until,
};

fn says_so(health: &Health) -> bool {
    let said = health.error.as_ref().is_some_and(|e| e.contains("takes no writes at the moment"));
    said && health.reasons.contains(&Reason::DbDown)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_waits_until_the_server_takes_writes_again() {
    let Some(place) = Place::postgres().await else { return };
    let mirror = Mirror::start(&place, 3).await;
    let mut all = mirror.indexer.health.clone();
    for status in [Migrated, Verified] {
        place.takes_writes(false).await;
        mirror.fake.set(key(1), bytes(&record(1, status)));
        let seen = mirror.health("it says so", says_so).await;
        assert!(!seen.is_healthy());
        place.takes_writes(true).await;
        mirror.equal("it goes on").await;
        mirror.health("all is well", |h| h.conn == Conn::Live && h.is_healthy()).await;
    }
    assert!(!matches!(all.borrow_and_update().conn, Conn::Stopped { .. }));
    mirror.end().await;
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_started_on_a_paused_server_stands_by_and_then_writes() {
    let Some(place) = Place::postgres().await else { return };
    let first = Mirror::start(&place, 3).await;
    let (fake, store) = first.end().await;
    drop(store);
    place.takes_writes(false).await;
    fake.set(key(1), bytes(&record(1, Migrated)));
    let mirror = Mirror::of(fake, &place, |c| c).await;
    let seen = mirror.health("it stands by and says so", |h| {
        says_so(h) && matches!(h.conn, Conn::Following { .. })
    });
    assert!(seen.await.snapshot.is_some(), "what is there can be read");
    assert_eq!(mirror.store.rows(None, 9).await.unwrap().len(), 3);
    place.takes_writes(true).await;
    live(&mirror.indexer).await;
    mirror.equal("it writes").await;
    mirror.health("all is well", |h| h.is_healthy()).await;
    mirror.end().await;
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_pause_one_of_two_mirrors_writes_and_one_stands_by() {
    let Some(place) = Place::postgres().await else { return };
    let first = Mirror::start(&place, 3).await;
    let second = Mirror::of(first.fake.clone(), &place, |c| c).await;
    second.health("it follows", |h| matches!(h.conn, Conn::Following { .. })).await;
    place.takes_writes(false).await;
    first.health("the writer says so", says_so).await;
    // Its lease expires because it cannot be renewed.
    second.health("the other one cannot take over", says_so).await;
    first.fake.set(key(1), bytes(&record(1, Verified)));
    place.takes_writes(true).await;
    first.equal("one of them writes").await;
    let at_rest = |h: &Health| h.is_healthy() && h.conn.is_live();
    first.health("the first is well", at_rest).await;
    second.health("the second is well", at_rest).await;
    until("one of them listens, and the other follows", || async {
        let (a, b) =
            (first.indexer.health.borrow().clone(), second.indexer.health.borrow().clone());
        (a.conn == Conn::Live) != (b.conn == Conn::Live)
    })
    .await;
    second.end().await;
    first.end().await;
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_read_waits_for_the_server() {
    let Some(place) = Place::postgres().await else { return };
    drop(place.open().await);
    place.takes_writes(false).await;
    let fake = FakeSolana::start().await;
    fake.set(key(1), bytes(&record(1, Pending)));
    let reading = tokio::spawn(backfill_once(fake.config(), place.open().await));
    // Read only after the store has refused the lease.
    until("it waits", || async { fake.state().asked("getSlot") > 0 }).await;
    place.takes_writes(true).await;
    assert_eq!(reading.await.unwrap().unwrap().accounts, 1);
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_single_read_refuses_another_clusters_mirror() {
    let Some(place) = Place::postgres().await else { return };
    let other = FakeSolana::start().await;
    other.state().genesis = [8; 32];
    // Far ahead: a mirror of the right cluster would count as up to date.
    other.state().slot = 5_000;
    backfill_once(other.config(), place.open().await).await.unwrap();
    place.takes_writes(false).await;
    let fake = FakeSolana::start().await;
    let error = backfill_once(fake.config(), place.open().await).await.unwrap_err();
    let refused = matches!(error, IndexerError::Store(StoreError::WrongCluster { .. }));
    assert!(refused, "{error}");
    place.takes_writes(true).await;
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_does_not_change_who_may_write() {
    let Some(place) = Place::postgres().await else { return };
    drop(place.open().await);
    let name = format!("pausereader_{}", std::process::id());
    place
        .sql(&format!(
            "CREATE ROLE {name} LOGIN PASSWORD 'reader';
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}"
        ))
        .await
        .unwrap();
    let (_, server) =
        place.url().rsplit_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let reader = format!("postgres://{name}:reader@{server}");
    for takes in [false, true] {
        place.takes_writes(takes).await;
        let (writes, reads) = (place.open().await, PostgresStore::connect(&reader).await.unwrap());
        assert!(!writes.read_only(), "the server is set to reading, not this user: {takes}");
        assert!(indexer::MirrorStore::read_only(&reads), "{takes}");
        let refused = writes.claim_notice(&takes.to_string()).await;
        match refused {
            Ok(_) => assert!(takes),
            Err(e) => {
                assert!(!takes && e.is_transient() && e.to_string().contains("a notice"), "{e}")
            }
        }
    }
    place.sql(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).await.unwrap();
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outdated_schema_on_a_paused_server_is_named() {
    let Some(place) = Place::postgres().await else { return };
    place.takes_writes(false).await;
    let error = place.try_open().await.err().unwrap();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("its schema has number 0"), "{error}");
    place.takes_writes(true).await;
    place.try_open().await.unwrap();
    place.remove().await;
}
