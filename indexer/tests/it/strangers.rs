//! Foreign input: transactions that anybody can add to the manager's history, and odd account formats of
//! providers. None of them stops the mirror, and the audit log never continues after a hole.
use std::sync::Arc;

use indexer::{Reason, Store, audit::trouble, backfill_once, refresh_once};
use upgrade_manager::state::{
    AccountStatus::{Migrated, Verified},
    ProposalStatus,
};

use crate::{
    common::{
        Place,
        fake::{FakeSolana, Form, Quirk, Tx},
        fixtures::{bytes, key, proposal, record},
        mirror::{Mirror, equal, health, live},
        past::{head, read, signature, tx, vote},
        until,
    },
    on_both_stores,
};

fn of_version(version: u64, tx: Tx) -> Tx {
    Tx { version, ..tx }
}

/// Three votes, the second in a transaction of this `version`.
fn past(version: u64) -> Vec<Tx> {
    vec![
        tx(10, 1, vec![vote(1, 1)]),
        of_version(version, tx(20, 2, vec![vote(2, 2)])),
        tx(30, 3, vec![vote(3, 3)]),
    ]
}

/// Lists, messages of both subscriptions and accounts by address are read from a node of this `form`.
/// Each form has a store of its own: a node that starts anew is behind a store that another node has
/// filled, and the mirror waits until it has caught up.
async fn unused_fields(place: &Place, form: Form) {
    let fake = FakeSolana::start().await;
    fake.state().form = form;
    for n in 1..=3 {
        fake.set(key(n), bytes(&record(n, Migrated)));
    }
    let mirror = Mirror::of(fake.clone(), place, |c| c).await;
    live(&mirror.indexer).await;
    mirror.equal("the list is read").await;
    fake.set(key(1), bytes(&record(1, Verified)));
    mirror.equal("the messages of both subscriptions are read").await;
    // Proposals are watched individually.
    fake.set(key(60), bytes(&proposal(ProposalStatus::Active)));
    mirror.equal("a new proposal is read").await;
    fake.set(key(60), bytes(&proposal(ProposalStatus::Rejected)));
    mirror.equal("its messages are read").await;
    mirror.end().await;
    // Lists are refused, so each account is read by address.
    fake.state().most = Some((0, crate::common::fake::What::KEY_EXCLUDED));
    fake.set(key(1), bytes(&record(1, Migrated)));
    let store = place.open().await;
    backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
    assert!(equal(&store, &fake).await, "accounts asked for by name");
}

on_both_stores! {
    async fn a_transaction_of_version_1_is_read(place) {
        let (fake, store) = (FakeSolana::start().await, place.open().await);
        fake.state().history = past(1);
        backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        assert_eq!(read(&store).await.len(), 3);
        let log = fake.state().log.clone();
        let told = log.iter().filter(|(method, _)| method == "getTransaction");
        assert!(told.clone().count() > 0);
        assert!(told.into_iter().all(|(_, p)| p[1]["maxSupportedTransactionVersion"] == 1));
    }

    async fn an_unknown_transaction_error_counts_as_failed(place) {
        let (fake, store) = (FakeSolana::start().await, place.open().await);
        fake.set(key(1), bytes(&record(1, Migrated)));
        fake.state().history = past(0);
        fake.state().history[1].failed = true;
        backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        assert_eq!(read(&store).await.len(), 2);
        assert!(equal(&store, &fake).await);
    }

    async fn rewritten_unused_fields_do_not_stop_the_mirror(place) {
        unused_fields(place, Form::Rewritten).await;
    }

    async fn unused_fields_of_old_nodes_do_not_stop_the_mirror(place) {
        unused_fields(place, Form::Old).await;
    }

    async fn an_unreadable_transaction_stops_only_the_audit_log(place) {
        let (fake, store) = (FakeSolana::start().await, place.open().await);
        fake.set(key(1), bytes(&record(1, Migrated)));
        for (version, quirk, lost) in
            [(2, Quirk::None, false), (1, Quirk::Garbage, false), (0, Quirk::None, true)]
        {
            {
                let mut state = fake.state();
                (state.history, state.quirk) = (past(version), quirk);
                state.lost = lost.then(|| signature(2));
            }
            fake.set(key(2), bytes(&record(2, if lost { Migrated } else { Verified })));
            let refreshed = refresh_once(fake.config(), Arc::clone(&store)).await.unwrap();
            let said = refreshed.history.unwrap().to_string();
            assert!(said.contains(&signature(2)) && said.contains("slot 20"), "{said}");
            assert!(equal(&store, &fake).await, "accounts go on");
            assert_eq!(refreshed.done.accounts, 2);
            assert_eq!(trouble(&*store).await.unwrap(), Some(said.clone()));
            let log = read(&store).await;
            assert_eq!(log.iter().map(|r| r.1).collect::<Vec<_>>(), [10], "up to the gap, not over it");
            // A command that reads the history gets the same error.
            let error = backfill_once(fake.config(), Arc::clone(&store)).await.unwrap_err();
            assert_eq!(error.to_string(), said);
        }
        let notes = store.ops(100).await.unwrap().len();
        assert_eq!(notes, 3, "each reason is noted once");
        {
            let mut state = fake.state();
            (state.history, state.quirk, state.lost) = (past(1), Quirk::None, None);
        }
        backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        assert_eq!(trouble(&*store).await.unwrap(), None);
        let other: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
        backfill_once(fake.config(), Arc::clone(&other)).await.unwrap();
        assert_eq!(head(&store).await, head(&other).await);
    }

    async fn a_running_mirror_names_the_transaction_that_stops_the_log(place) {
        let fake = FakeSolana::start().await;
        fake.state().history = past(2);
        fake.set(key(1), bytes(&record(1, Migrated)));
        let mirror = Mirror::of(fake.clone(), place, |c| c).await;
        live(&mirror.indexer).await;
        let held = health(&mirror.indexer, "the log is held up", |h| {
            h.reasons.contains(&Reason::HistoryBehind)
        })
        .await;
        let said = held.error.unwrap();
        assert!(said.contains(&signature(2)) && said.contains("newer control room"), "{said}");
        until("it is noted", || async {
            trouble(&*mirror.store).await.unwrap().is_some_and(|t| t.contains(&signature(2)))
        })
        .await;
        fake.set(key(1), bytes(&record(1, Verified)));
        fake.set(key(3), bytes(&record(3, Migrated)));
        mirror.equal("accounts go on").await;
        assert_eq!(read(&mirror.store).await.len(), 1);
        fake.state().history = past(1);
        health(&mirror.indexer, "the log goes on", |h| !h.reasons.contains(&Reason::HistoryBehind))
            .await;
        assert_eq!(read(&mirror.store).await.len(), 3);
        until("that is noted as well", || async {
            trouble(&*mirror.store).await.unwrap().is_none()
        })
        .await;
        mirror.end().await;
    }
}
