//! A store whose process was killed while writing opens again and holds whole batches.
use std::process::{Command, Stdio};

use indexer::{Batch, MirrorStore, SqliteStore};
use solana_pubkey::Pubkey;
use upgrade_manager::state::AccountStatus;

use crate::common::{
    Place,
    fixtures::{PROGRAM_ID, bytes, record, update},
    scale, until,
};

const CHILD: &str = "INDEXER_TEST_KILL_CHILD";
/// Rows of one batch of the child.
const ROWS: u64 = 50;

fn rows(batch: u64) -> Vec<indexer::Update> {
    let status = AccountStatus::Migrated;
    let one = |n: u64| {
        let mut address = [0; 32];
        address[..8].copy_from_slice(&(batch * ROWS + n).to_be_bytes());
        update(Pubkey::new_from_array(address), batch + 1, 1, bytes(&record(1, status)))
    };
    (0..ROWS).map(one).collect()
}

/// Not a test: the child process that gets killed. Does nothing without the variable.
#[tokio::test]
async fn child_that_writes_until_it_is_killed() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let store = SqliteStore::open(path).unwrap();
    let run = store.begin_run(&PROGRAM_ID, &[1; 32], "a child").await.unwrap();
    for batch in store.state().await.unwrap().frontier_slot.. {
        let batch = Batch { updates: rows(batch), frontier: Some(batch + 1), ..Batch::default() };
        store.apply(&run, batch).await.unwrap();
    }
}

#[tokio::test]
async fn kill_9_while_writing_leaves_whole_batches() {
    let place = Place::sqlite();
    let store = SqliteStore::open(place.path()).unwrap();
    let frontier = async || store.state().await.unwrap().frontier_slot;
    for _ in 0..4 * scale() {
        let before = frontier().await;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child_that_writes_until_it_is_killed"])
            .env(CHILD, place.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("the child writes", || async { frontier().await > before + 3 }).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let restarted = SqliteStore::open(place.path()).unwrap();
        let counted = restarted.progress(true).await.unwrap();
        assert_eq!(restarted.progress(false).await.unwrap(), counted);
        let total: u64 = counted.values().map(|row| row.migrated).sum();
        assert_eq!(total, frontier().await * ROWS, "rows, counters and frontier are of one batch");
        // The dead process's lease has not expired yet.
        assert!(restarted.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.is_ok());
        drop(restarted);
        let sound: String = rusqlite::Connection::open(place.path())
            .unwrap()
            .query_row("PRAGMA integrity_check", [], |r| r.get(0))
            .unwrap();
        assert_eq!(sound, "ok");
    }
}
