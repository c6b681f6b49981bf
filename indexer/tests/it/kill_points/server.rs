//! The same on Postgres: the connection is cut after every message of a transaction, as when the
//! indexer's process or the server is killed.
use indexer::{PostgresStore, Store};

use super::{
    proxy::Door,
    script::{Step, begin, shown},
};
use crate::common::{Place, until};

/// A database prepared for `step`, and its content before and after.
async fn prepared(step: Step) -> Option<(Place, String, String)> {
    let undisturbed = Place::postgres().await?;
    let store = undisturbed.open().await;
    step.prepare(store.as_ref()).await;
    let before = shown(store.as_ref()).await;
    let run = begin(store.as_ref()).await;
    step.take(store.as_ref(), &run).await.unwrap();
    let after = shown(store.as_ref()).await;
    assert_ne!(before, after, "{step:?} does something");
    drop(store);
    undisturbed.remove().await;
    Some((fresh(step).await, before, after))
}

async fn fresh(step: Step) -> Place {
    let place = Place::postgres().await.unwrap();
    step.prepare(place.open().await.as_ref()).await;
    place
}

/// Begins a run on a store whose connections may all have been cut.
async fn begin_again(store: &dyn Store) -> indexer::Run {
    let run = tokio::sync::OnceCell::new();
    until("the store connects again", || async {
        match store.begin_run(&crate::common::fixtures::PROGRAM_ID, &[1; 32], "a test").await {
            Ok(begun) => run.set(begun).is_ok(),
            Err(e) if e.is_transient() => false,
            Err(e) => panic!("{e}"),
        }
    })
    .await;
    *run.get().unwrap()
}

/// Cuts the connection after every message of `step`; returns their number.
async fn at_every_message(step: Step) -> Option<i64> {
    let (mut place, before, after) = prepared(step).await?;
    let mut at = 0;
    'databases: loop {
        let (door, through) = Door::before(&place.url()).await;
        let cut = PostgresStore::connect(&through).await.unwrap();
        let direct = place.open().await;
        loop {
            at += 1;
            let run = begin_again(&cut).await;
            door.shut_after(at);
            let done = step.take(&cut, &run).await;
            if !door.open() {
                done.unwrap();
                assert_eq!(shown(direct.as_ref()).await, after, "an undisturbed {step:?}");
                drop((cut, direct));
                place.remove().await;
                return Some(at - 1);
            }
            if let Err(error) = done {
                assert!(error.is_transient(), "{step:?} at message {at}: {error}");
            }
            // Waits until the server has finished the interrupted statement.
            let run = begin_again(direct.as_ref()).await;
            let found = shown(direct.as_ref()).await;
            if found == before {
                continue;
            }
            assert_eq!(found, after, "{step:?} by halves at message {at}");
            step.take(direct.as_ref(), &run).await.unwrap();
            assert_eq!(shown(direct.as_ref()).await, after, "{step:?} twice, message {at}");
            drop((cut, direct));
            place.remove().await;
            place = fresh(step).await;
            continue 'databases;
        }
    }
}

macro_rules! postgres_is_cut_off_after_every_message_of {
    ($($name:ident: $step:ident, $least:literal;)*) => {
        mod postgres_is_cut_off_after_every_message_of {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(messages) = at_every_message(Step::$step).await else { return };
                assert!(messages >= $least, "only {messages} messages were seen");
            })*
        }
    };
}

postgres_is_cut_off_after_every_message_of! {
    a_batch: Batch, 15;
    a_first_load: Fill, 10;
    a_snapshots_end: Tombstone, 10;
    the_audit_log: Audit, 10;
    taking_slots_back: Undo, 10;
    keeping_the_lease: Keep, 4;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_resumes_after_the_server_fails_during_a_batch() {
    let Some((place, before, after)) = prepared(Step::Batch).await else { return };
    let (door, through) = Door::before(&place.url()).await;
    let store = PostgresStore::connect(&through).await.unwrap();
    let run = begin(&store).await;
    door.shut_after(9);
    let error = Step::Batch.take(&store, &run).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    // Ends the server's backend processes, as a restart does.
    place
        .sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
    let error = Step::Batch.take(&store, &run).await.unwrap_err();
    assert!(error.is_transient(), "the door is still shut: {error}");
    let direct = place.open().await;
    assert_eq!(shown(direct.as_ref()).await, before);
    assert!(door.open(), "it had shut");
    until("the same run goes on", || async {
        match Step::Batch.take(&store, &run).await {
            Ok(()) => true,
            Err(e) if e.is_transient() => false,
            Err(e) => panic!("{e}"),
        }
    })
    .await;
    assert_eq!(shown(direct.as_ref()).await, after);
    drop((store, direct));
    place.remove().await;
}
