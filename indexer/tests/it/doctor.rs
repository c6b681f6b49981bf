//! Findings of `doctor` against scripted nodes and both stores, and the administration commands.
use indexer::{
    IndexerError, MirrorStore, SourceConfig, StoreError,
    runtime::doctor::{CheckResult, Finding, nodes, sqlite_schema},
    source::Endpoint,
    store::{
        SCHEMA,
        postgres::admin::{grant_reader, migrate, schema},
    },
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::common::{
    Place,
    fake::{FakeSolana, What},
    fixtures::key,
};

fn worst(findings: &[Finding]) -> CheckResult {
    findings.iter().map(|f| f.verdict).max().unwrap()
}

fn endpoint(fake: &FakeSolana) -> Endpoint {
    Endpoint { rpc_url: fake.http.clone(), ws_url: fake.ws.clone() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_node_passes_and_one_of_another_cluster_fails() {
    let fake = FakeSolana::start().await;
    let genesis = fake.state().genesis;
    let found = nodes(&fake.config(), Some(genesis)).await;
    assert_eq!(worst(&found), CheckResult::Ok, "{found:?}");
    let found = nodes(&fake.config(), Some([9; 32])).await;
    let faults: Vec<_> = found.iter().filter(|f| f.verdict == CheckResult::Fail).collect();
    assert!(matches!(faults.as_slice(), [f] if f.text.contains("--database-url")), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_of_different_clusters_are_noticed_without_a_mirror() {
    let (one, other) = (FakeSolana::start().await, FakeSolana::start().await);
    other.state().genesis = [9; 32];
    let config = one.config().with_more([endpoint(&other)]);
    assert_eq!(worst(&nodes(&config, None).await), CheckResult::Fail);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_behind_is_named() {
    let node = FakeSolana::start().await;
    // So far behind that it still is, even if it answers much later than the other node.
    node.state().slot = 10_000;
    let late = node.follower(5_000).await;
    let config = node.config().with_more([endpoint(&late)]);
    let found = nodes(&config, None).await;
    let of = |fake: &FakeSolana| {
        found.iter().any(|f| f.about.contains(&fake.http) && f.text.contains("slots behind"))
    };
    assert!(of(&late) && !of(&node), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_websocket_fails_and_shows_no_key() {
    let fake = FakeSolana::start().await;
    let config = SourceConfig {
        endpoints: vec![Endpoint {
            rpc_url: format!("{}/v2/0123456789abcdef", fake.http),
            ws_url: "ws://127.0.0.1:9/fedcba9876543210".to_owned(),
        }],
        ..fake.config()
    };
    let found = nodes(&config, None).await;
    let text = format!("{found:?}");
    assert!(!text.contains("0123456789") && !text.contains("fedcba"), "{text}");
    let faults: Vec<_> = found.iter().filter(|f| f.verdict == CheckResult::Fail).collect();
    assert!(matches!(faults.as_slice(), [f] if f.about.contains("websocket")), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_get_blocks_gets_a_warning() {
    let fake = FakeSolana::start().await;
    fake.fail("getBlocks", u32::MAX, What::MISSING);
    let found = nodes(&fake.config(), None).await;
    assert_eq!(worst(&found), CheckResult::Warn, "{found:?}");
    assert!(found.iter().any(|f| f.text.contains("getBlocks")));
}

#[tokio::test]
async fn reading_the_schema_of_a_sqlite_file_changes_nothing() {
    let place = Place::sqlite();
    assert_eq!(sqlite_schema(&place.path()), Ok(None));
    assert!(!place.path().exists());
    drop(place.open().await);
    assert_eq!(sqlite_schema(&place.path()), Ok(Some(SCHEMA)));
    std::fs::write(place.path(), "no database").unwrap();
    assert!(sqlite_schema(&place.path()).is_err());
}

/// The address `url` for the user `role`, whose password is its name.
fn of_role(url: &str, role: &str) -> String {
    let (_, at) = url.rsplit_once('@').unwrap();
    format!("postgres://{role}:{role}@{at}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_reports_both_schema_numbers() {
    let Some(place) = Place::postgres().await else { return };
    assert_eq!(schema(&place.url()).await.unwrap(), None);
    assert_eq!(schema(&place.url()).await.unwrap(), None, "looking makes nothing");
    let done = migrate(&place.url()).await.unwrap();
    assert_eq!((done.from, done.to), (0, SCHEMA));
    let again = migrate(&place.url()).await.unwrap();
    assert_eq!((again.from, again.to), (SCHEMA, SCHEMA));
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reader_role_can_only_read_whatever_it_sets() {
    let Some(place) = Place::postgres().await else { return };
    let url = place.url();
    let role = format!("doctors_reader_{}", std::process::id());
    assert!(matches!(grant_reader(&url, &role).await, Err(StoreError::Role { .. })), "no mirror");
    drop(place.open().await);
    assert!(grant_reader(&url, &role).await.unwrap().created);
    assert!(!grant_reader(&url, &role).await.unwrap().created, "a second time is no error");

    // Connected as the role, which also tries to override its own settings.
    for sql in [
        "DELETE FROM accounts",
        "UPDATE mirror_state SET rev = 0",
        "INSERT INTO ops_log (at_ms, kind, detail) VALUES (0, 'x', '{}')",
        "TRUNCATE audit_log",
        "CREATE TABLE mine (a int)",
        "DROP TABLE accounts",
        "ALTER TABLE accounts ADD COLUMN mine int",
    ] {
        let as_role = format!("SET ROLE {role}; SET default_transaction_read_only = off; {sql}");
        let refused = place.sql(&as_role).await.unwrap_err();
        assert!(
            refused.contains("denied") || refused.contains("must be owner"),
            "{sql}: {refused}"
        );
    }
    place.sql(&format!("SET ROLE {role}; SELECT count(*) FROM accounts")).await.unwrap();

    place.sql(&format!("ALTER ROLE {role} PASSWORD '{role}'")).await.unwrap();
    let as_role = of_role(&url, &role);
    let mut connection = PgConnection::connect(&as_role).await.unwrap();
    for (setting, value) in [("default_transaction_read_only", "on"), ("statement_timeout", "2s")] {
        let sql = format!("SELECT current_setting('{setting}')");
        let found: String =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
        assert_eq!(found, value, "{setting}");
    }
    connection.close().await.unwrap();

    let store = indexer::PostgresStore::connect(&as_role).await.unwrap();
    assert!(store.read_only() && store.state().await.is_ok());
    let refused = store.begin_run(&key(1), &[1; 32], "reader").await;
    assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
    let refused = migrate(&as_role).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
    drop(store);
    place.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_or_a_malformed_name_cannot_become_the_reader_role() {
    let Some(place) = Place::postgres().await else { return };
    drop(place.open().await);
    let url = place.url();
    let me = url.split("://").nth(1).unwrap().split(['@', ':']).next().unwrap().to_owned();
    let long = "r".repeat(64);
    for role in [me.as_str(), "", "x\"; DROP TABLE accounts; --", "pg_monitor", "public", &long] {
        let refused = grant_reader(&url, role).await;
        assert!(matches!(refused, Err(StoreError::Role { .. })), "{role:?}: {refused:?}");
    }
    let error = IndexerError::from(grant_reader(&url, "pg_monitor").await.unwrap_err());
    assert!(error.to_string().contains("pg_monitor"), "{error}");
    // The owner can still write.
    let store = place.open().await;
    store.begin_run(&key(1), &[1; 32], "writer").await.unwrap();
    drop(store);
    place.remove().await;
}
