//! An indexer or its connection dies at any statement: the store holds all of the transaction or none of
//! it, and a retry gives the same result as an undisturbed run.
mod proxy;
mod script;
mod server;

use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use indexer::SqliteStore;
use rusqlite::trace::TraceEvent;

use self::script::{Step, begin, shown};
use crate::common::Place;

/// The database, the step, and the number of the statement at which the child dies.
const CHILD: &str = "INDEXER_TEST_KILL_POINT";
/// Exit code of a child that was not killed.
const UNHARMED: i32 = 0;

/// Statements until this process kills itself; 0 for never.
static LEFT: AtomicU32 = AtomicU32::new(0);

fn count_down(event: TraceEvent<'_>) {
    if !matches!(event, TraceEvent::Stmt(..)) || LEFT.load(Ordering::SeqCst) == 0 {
        return;
    }
    if LEFT.fetch_sub(1, Ordering::SeqCst) == 1 {
        // No destructors, no flush, as with a power cut or kill -9.
        std::process::abort();
    }
}

/// Not a test: the child process that gets killed. Does nothing without the variable.
#[tokio::test]
async fn child_that_ends_itself_at_a_statement() {
    let Ok(job) = std::env::var(CHILD) else { return };
    let (path, step, at) = {
        let mut words = job.split('\n');
        let mut next = || words.next().unwrap().to_owned();
        (next(), Step::named(&next()), next().parse().unwrap())
    };
    let store = SqliteStore::open_observed(path, count_down).unwrap();
    let run = begin(&store).await;
    LEFT.store(at, Ordering::SeqCst);
    step.take(&store, &run).await.unwrap();
    std::process::exit(UNHARMED);
}

/// Whether the child was killed before it was done.
fn killed(path: &std::path::Path, step: Step, at: u32) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill_points::child_that_ends_itself_at_a_statement"])
        .env(CHILD, format!("{}\n{step:?}\n{at}", path.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.code().is_none_or(|code| code == UNHARMED), "the child failed: {status}");
    status.code().is_none()
}

/// Kills a child at every statement of `step`; returns their number.
async fn at_every_statement(step: Step) -> u32 {
    let base = Place::sqlite();
    step.prepare(base.open().await.as_ref()).await;
    let before = shown(base.open().await.as_ref()).await;
    let mut after = None;
    for at in 1.. {
        let place = Place::sqlite();
        std::fs::copy(base.path(), place.path()).unwrap();
        let died = killed(&place.path(), step, at);
        let store = place.open().await;
        let found = shown(store.as_ref()).await;
        // The dead one's lease has not run out, but its lock is gone with it.
        let run = begin(store.as_ref()).await;
        step.take(store.as_ref(), &run).await.unwrap();
        let done = shown(store.as_ref()).await;
        let expected = after.get_or_insert_with(|| done.clone());
        assert_eq!(done, *expected, "{step:?} again, after statement {at}");
        assert!(found == before || found == *expected, "{step:?} by halves at statement {at}");
        assert_ne!(before, *expected, "{step:?} does something");
        drop(store);
        let sound: String = rusqlite::Connection::open(place.path())
            .unwrap()
            .query_row("PRAGMA integrity_check", [], |r| r.get(0))
            .unwrap();
        assert_eq!(sound, "ok", "{step:?} at statement {at}");
        if !died {
            assert_eq!(found, *expected, "an undisturbed {step:?}");
            return at - 1;
        }
    }
    unreachable!()
}

macro_rules! sqlite_is_killed_at_every_statement_of {
    ($($name:ident: $step:ident, $least:literal;)*) => {
        mod sqlite_is_killed_at_every_statement_of {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                let statements = at_every_statement(Step::$step).await;
                assert!(statements >= $least, "only {statements} statements were seen");
            })*
        }
    };
}

sqlite_is_killed_at_every_statement_of! {
    a_batch: Batch, 30;
    a_first_load: Fill, 20;
    a_snapshots_end: Tombstone, 10;
    the_audit_log: Audit, 12;
    taking_slots_back: Undo, 10;
    keeping_the_lease: Keep, 5;
}
