//! Errors when a store is opened wrongly, and values that survive a restart.
use indexer::{LocalLog, MirrorStore, PostgresStore, SentRow, SqliteStore, StoreError};

use crate::{
    common::fixtures::{PROGRAM_ID, key},
    on_both_stores,
};

fn sent(n: i64) -> SentRow {
    SentRow {
        at_ms: n,
        verb: "approve".into(),
        proposal: Some(key(60)),
        signature: format!("signature{n}"),
        slot: 7,
        units: Some(4_000),
        bytes: 600,
        elapsed_ms: 900,
        error: (n == 2).then(|| "Custom: 6001".into()),
    }
}

on_both_stores! {
    async fn a_newer_schema_is_refused_with_both_numbers(place) {
        drop(place.open().await);
        let sql = if place.is_postgres() {
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9, 'later', true, '', 0)"
        } else {
            "PRAGMA user_version = 9"
        };
        place.sql(sql).await.unwrap();
        let error = place.try_open().await.err().unwrap();
        assert!(matches!(error, StoreError::NewerSchema { found: 9, known: 3, .. }), "{error}");
        assert!(error.to_string().contains("Use a newer control room"), "{error}");
    }

    async fn another_cluster_or_program_is_refused(place) {
        let store = place.open().await;
        let first = store.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap();
        let error = store.begin_run(&PROGRAM_ID, &[2; 32], "a test").await.unwrap_err();
        assert!(matches!(error, StoreError::WrongCluster { .. }), "{error}");
        let error = store.begin_run(&key(3), &[1; 32], "a test").await.unwrap_err();
        assert!(matches!(error, StoreError::WrongProgram { .. }), "{error}");
        drop(store);
        let again = place.open().await.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap();
        assert_eq!(again.id, first.id + 1, "a refused run is not counted");
        assert!(again.write_version(1) > first.write_version(u32::MAX), "later runs order after");
    }

    async fn a_notice_can_be_claimed_once_even_after_a_restart(place) {
        let store = place.open().await;
        assert!(store.claim_notice("eta/1").await.unwrap());
        assert!(!store.claim_notice("eta/1").await.unwrap());
        assert!(store.claim_notice("eta/2").await.unwrap());
        drop(store);
        assert!(!place.open().await.claim_notice("eta/1").await.unwrap());
    }

    async fn any_error_text_can_be_stored(place) {
        let store = place.open().await;
        let odd = SentRow { error: Some("Custom:\0 6001".into()), ..sent(1) };
        store.record_sent(&odd).await.unwrap();
        let kept = store.sent(1).await.unwrap()[0].error.clone().unwrap();
        assert!(kept.starts_with("Custom:") && kept.ends_with("6001"), "{kept:?}");
    }

    async fn sent_transactions_are_read_newest_first(place) {
        let store = place.open().await;
        let before = store.revision().await.unwrap();
        for n in 1..=3 {
            store.record_sent(&sent(n)).await.unwrap();
        }
        assert!(store.revision().await.unwrap() > before);
        drop(store);
        let rows = place.open().await.sent(2).await.unwrap();
        assert_eq!(rows, [sent(3), sent(2)]);
    }
}

#[test]
fn a_foreign_file_is_refused_and_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("notes.txt");
    std::fs::write(&text, "these are notes, not a database, and long enough to be read").unwrap();
    let error = SqliteStore::open(&text).err().unwrap();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    assert!(std::fs::read_to_string(&text).unwrap().starts_with("these are notes"));

    let other = dir.path().join("other.db");
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE theirs (a)").unwrap();
    let error = SqliteStore::open(&other).err().unwrap();
    assert!(error.to_string().contains("tables of another program"), "{error}");
}

#[test]
fn a_new_file_can_be_opened_concurrently() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mirror.db");
        let start = std::sync::Barrier::new(6);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    start.wait();
                    let opened = SqliteStore::open(&path);
                    assert!(opened.is_ok(), "{}", opened.err().unwrap());
                });
            }
        });
    }
}

#[test]
fn an_uncreatable_folder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = SqliteStore::open(file.join("below").join("mirror.db")).err().unwrap();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("below"), "{error}");
}

#[tokio::test]
async fn an_unreachable_database_is_named_without_its_password() {
    // No test server uses this port.
    let url = "postgres://ada:s3cret@127.0.0.1:9/mirror";
    let error = PostgresStore::connect(url).await.err().unwrap();
    assert!(error.is_transient(), "{error}");
    let said = error.to_string();
    assert!(said.contains("127.0.0.1:9/mirror") && !said.contains("s3cret"), "{said}");
    let error = PostgresStore::connect("mysql://ada:s3cret@h/x").await.err().unwrap();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[tokio::test]
async fn an_in_memory_store_has_every_table() {
    let store = SqliteStore::open_in_memory().unwrap();
    store.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap();
    assert_eq!(store.view().await.unwrap().frontier, 0);
    assert!(store.claim_notice("a").await.unwrap());
}
