//! Closed accounts, and incomplete lists that look as if accounts were closed.
use std::{sync::Arc, time::Duration};

use indexer::{
    Batch, Conn, Reason, SourceConfig, backfill_once, refresh_once, source::Endpoint, verify,
};
use upgrade_manager::state::{
    AccountStatus::{Migrated, Pending, Verified},
    ProposalStatus,
};

use crate::{
    common::{
        fake::{FakeSolana, Fault, What},
        fixtures::{PROGRAM_ID, bytes, key, multisig, program, proposal, record, record_update},
        mirror::{Mirror, equal, is_reconnecting, live},
        until,
    },
    on_both_stores,
};

fn often(config: SourceConfig) -> SourceConfig {
    SourceConfig { reconcile: Duration::from_millis(100), ..config }
}

/// A node with a multisig, its program with an open proposal, and three records. The proposal is the
/// last in a list, after the program.
async fn with_a_proposal() -> FakeSolana {
    let fake = FakeSolana::start().await;
    for n in 1..=3 {
        fake.set(key(n), bytes(&record(n, Pending)));
    }
    fake.set(key(40), bytes(&multisig()));
    fake.set(key(41), bytes(&program(1)));
    fake.set(key(60), bytes(&proposal(ProposalStatus::Active)));
    fake
}

on_both_stores! {
    async fn hazard_03_an_account_is_closed_without_a_notification(place) {
        let mirror = Mirror::start_with(place, 5, often).await;
        mirror.fake.close_account(&key(2));
        mirror.equal("the next complete list finds it").await;
        until("it is counted", || async { mirror.metric("snapshot_tombstones_total") >= 1.0 }).await;
        // An older state arrives after the close.
        let floor = mirror.store.view().await.unwrap().frontier;
        mirror.fake.notify(key(2), floor - 1, PROGRAM_ID, &bytes(&record(2, Verified)));
        mirror.fake.set(key(9), bytes(&record(9, Verified)));
        mirror.equal("it does not come back").await;
        // Recreated with the same bytes.
        mirror.fake.tick();
        mirror.fake.set(key(2), bytes(&record(2, Pending)));
        mirror.equal("it lives again").await;
        mirror.end().await;
    }

    async fn hazard_03_an_account_is_closed_and_recreated_while_disconnected(place) {
        let mirror = Mirror::start(place, 5).await;
        let fake = &mirror.fake;
        fake.state().hold = true;
        fake.drop_sockets();
        mirror.health("the cut is noticed", is_reconnecting).await;
        fake.close_account(&key(1));
        fake.close_account(&key(2));
        fake.tick();
        fake.set(key(1), bytes(&record(1, Verified)));
        fake.state().hold = false;
        live(&mirror.indexer).await;
        mirror.equal("one is gone and one is back").await;
        mirror.end().await;
    }

    async fn hazard_03_a_proposal_and_a_program_are_closed_between_two_complete_lists(place) {
        let fake = FakeSolana::start().await;
        fake.set(key(40), bytes(&multisig()));
        fake.set(key(41), bytes(&program(1)));
        fake.set(key(60), bytes(&proposal(ProposalStatus::Active)));
        let mirror = Mirror::of(fake.clone(), place, |c| c).await;
        live(&mirror.indexer).await;
        // A proposal created later is watched too.
        let mut second = proposal(ProposalStatus::Active);
        second.terms.id = 1;
        fake.set(key(61), bytes(&second));
        until("those that matter are watched", || async {
            let state = fake.state();
            let watched = state.log.iter().filter(|(m, _)| m == "accountSubscribe");
            let watched: Vec<&str> = watched.filter_map(|(_, p)| p[0].as_str()).collect();
            [41, 60, 61].iter().all(|n| watched.contains(&key(*n).to_string().as_str()))
        })
        .await;
        for closed in [60, 41, 61] {
            fake.tick();
            fake.close_account(&key(closed));
            mirror.equal("it is told of at once").await;
        }
        let view = mirror.store.view().await.unwrap();
        assert!(view.proposals.iter().all(|p| p.closed_slot.is_some()), "kept as closed");
        assert_eq!(fake.state().snapshots, 1, "no list was needed");
        mirror.end().await;
    }

    async fn hazard_04_a_list_always_lacks_the_same_accounts(place) {
        let mirror = Mirror::of(with_a_proposal().await, place, |c| c).await;
        mirror.health("a complete list is taken for one", |h| h.is_healthy()).await;
        let fake = &mirror.fake;
        fake.state().notifies = false;
        let floor = mirror.store.state().await.unwrap().snapshot_slot;
        // The list lacks half of the accounts, including the program and its open proposal, twice.
        fake.state().cut = 3;
        for status in [ProposalStatus::Active, ProposalStatus::Timelocked] {
            let before = fake.state().snapshots;
            fake.tick();
            fake.set(key(60), bytes(&proposal(status)));
            // Each connection reads all accounts.
            fake.drop_sockets();
            until("a list is read", || async { fake.state().snapshots > before }).await;
            let said = "listed 3 and left out 3 that";
            let told = |h: &indexer::Health| h.error.as_ref().is_some_and(|e| e.contains(said));
            let seen = mirror.health("it is told", told).await;
            assert!(seen.reasons.contains(&Reason::SnapshotSuspect), "{seen:?}");
            assert!(seen.error.unwrap().contains(&fake.http), "the node is named");
            mirror.equal("nothing was closed, and what changed is there").await;
            assert!(mirror.store.view().await.unwrap().proposals[0].closed_slot.is_none());
        }
        let state = mirror.store.state().await.unwrap();
        assert_eq!(state.snapshot_slot, floor, "neither of them is taken for complete");
        // An empty list, while the proposal and one record are really closed.
        fake.state().cut = 6;
        fake.tick();
        fake.close_account(&key(60));
        fake.close_account(&key(1));
        fake.drop_sockets();
        mirror.equal("what is gone is closed, and nothing else").await;
        fake.state().cut = 0;
        fake.drop_sockets();
        mirror.health("a complete list is taken for one", |h| h.is_healthy()).await;
        assert!(mirror.store.state().await.unwrap().snapshot_slot > floor);
        assert!(mirror.store.ops(99).await.unwrap().iter().any(|op| {
            op.kind == "SnapshotTruncated" && op.detail["left_out"] == 3
        }));
        mirror.end().await;
    }

    async fn hazard_04_most_accounts_are_closed_at_once(place) {
        // More accounts than one answer holds, on a node that accepts few addresses at a time.
        let mirror = Mirror::start(place, 150).await;
        let fake = &mirror.fake;
        fake.state().faults.push(Fault {
            method: "getMultipleAccounts",
            times: u32::MAX,
            what: What::Status(413, None),
            only: |params| params[0].as_array().is_some_and(|keys| keys.len() > 30),
        });
        fake.tick();
        (1..=140).for_each(|n| fake.close_account(&key(n)));
        fake.drop_sockets();
        mirror.equal("each was asked for by address").await;
        mirror.health("a list that is true is no fault", |h| h.is_healthy()).await;
        assert!(fake.state().asked("getMultipleAccounts") >= 5);
        mirror.end().await;
    }

    async fn hazard_04_missing_accounts_cannot_be_read_by_address(place) {
        let fake = with_a_proposal().await;
        let store = place.open().await;
        let first = backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        assert_eq!((first.accounts, first.doubt), (6, None));
        fake.tick();
        fake.close_account(&key(1));
        fake.fail("getMultipleAccounts", u32::MAX, What::MISSING);
        let error = backfill_once(fake.config(), Arc::clone(&store)).await.unwrap_err().to_string();
        assert!(error.contains("did not answer getMultipleAccounts"), "{error}");
        assert_eq!(store.rows(None, 99).await.unwrap().len(), 6, "nothing is closed");
        let error = verify(&fake.config(), store.as_ref()).await.unwrap_err().to_string();
        assert!(error.contains("did not answer getMultipleAccounts"), "{error}");
        fake.state().faults.clear();
        let done = backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        assert_eq!((done.closed, done.doubt), (1, None));
    }

    async fn hazard_04_accounts_close_at_the_oldest_slot_that_proves_it(place) {
        let fake = with_a_proposal().await;
        fake.state().ticks = false;
        let store = place.open().await;
        backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        fake.tick();
        (1..=3).for_each(|n| fake.close_account(&key(n)));
        // The list also lacks an existing proposal, so missing accounts are asked for by address. That
        // takes several answers, each of a later slot.
        fake.state().faults.push(Fault {
            method: "getMultipleAccounts",
            times: u32::MAX,
            what: What::Status(413, None),
            only: |params| params[0].as_array().is_some_and(|keys| keys.len() > 2),
        });
        (fake.state().cut, fake.state().leap) = (1, 5);
        let listed = fake.state().slot;
        let done = backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        assert_eq!(done.closed, 3);
        assert!(done.doubt.unwrap().contains("listed 2 and left out 1 that"));
        assert!(fake.state().slot >= listed + 10, "at least two answers");
        let rows = store.full_rows(None, 99).await.unwrap();
        for n in 1..=3 {
            let row = rows.iter().find(|row| row.pubkey == key(n)).unwrap();
            assert_eq!((row.slot, row.closed_slot), (listed, Some(listed)), "{n}");
        }
        // An account recreated between two answers stays open.
        let run = store.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap();
        let updates = vec![record_update(1, Verified, listed + 1, 1)];
        let made = store.apply(&run, Batch { updates, ..Batch::default() }).await.unwrap();
        assert_eq!((made.written, made.stale), (1, 0));
    }

    async fn hazard_04_a_single_read_of_a_short_list_is_not_equal(place) {
        let fake = with_a_proposal().await;
        // A new mirror knows the proposal only because its program names it.
        fake.state().cut = 1;
        let store = place.open().await;
        for round in 0..3 {
            // A list cannot close accounts that were read at its own slot.
            fake.tick();
            let done = backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
            let doubt = done.doubt.unwrap();
            assert!(doubt.contains("listed 5 and left out 1 that"), "{round}: {doubt}");
            assert!(equal(&store, &fake).await, "{round}");
            let report = verify(&fake.config(), store.as_ref()).await.unwrap();
            assert_eq!((report.compared, report.equal, report.left_out), (6, 6, 1), "{round}");
            assert!(!report.is_equal() && report.differences.is_empty(), "{round}");
        }
        let mut other = proposal(ProposalStatus::Timelocked);
        other.terms.id = 7;
        fake.set(key(60), bytes(&other));
        let report = verify(&fake.config(), store.as_ref()).await.unwrap();
        assert!(report.differences.iter().any(|d| d.pubkey == key(60) && d.field == "status"));
        fake.state().cut = 0;
        let done = backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        assert_eq!((done.doubt, done.closed), (None, 0));
        assert!(verify(&fake.config(), store.as_ref()).await.unwrap().is_equal());
    }

    async fn hazard_04_another_node_lists_the_missing_accounts(place) {
        let fake = with_a_proposal().await;
        let other = fake.follower(0).await;
        until("it has the accounts", || async { other.state().accounts.len() == 6 }).await;
        fake.state().cut = 1;
        let second = Endpoint { rpc_url: other.http.clone(), ws_url: other.ws.clone() };
        let store = place.open().await;
        let config = fake.config().with_more([second.clone()]);
        let done = backfill_once(config, Arc::clone(&store)).await.unwrap();
        assert_eq!((done.accounts, done.doubt), (6, None));
        drop(store);
        let mirror = Mirror::of(fake, place, |c| often(c.with_more([second]))).await;
        mirror.health("the other one is read", |h| h.conn == Conn::Live && h.is_healthy()).await;
        assert!(other.state().connections > 0);
        mirror.equal("nothing is missing").await;
        mirror.end().await;
    }

    async fn hazard_04_a_dead_second_node_does_not_lose_the_first_list(place) {
        let fake = with_a_proposal().await;
        fake.state().cut = 1;
        let dead = FakeSolana::start().await;
        dead.state().down = true;
        let second = Endpoint { rpc_url: dead.http.clone(), ws_url: dead.ws.clone() };
        let store = place.open().await;
        let config = fake.config().with_more([second]);
        // The history of this node is not part of this test.
        let done = refresh_once(config, Arc::clone(&store)).await.unwrap().done;
        assert!(!dead.state().log.is_empty(), "the second node was asked");
        assert_eq!(done.accounts, 5);
        let doubt = done.doubt.unwrap();
        assert!(doubt.contains("listed 5 and left out 1 that"), "{doubt}");
        assert!(doubt.contains(&fake.http), "the node that listed is named: {doubt}");
        assert!(equal(&store, &fake).await, "what the program names was asked for by address");
    }

    async fn hazard_04_a_list_breaks_off_in_the_middle(place) {
        let mirror = Mirror::start_with(place, 20, often).await;
        let fake = &mirror.fake;
        fake.state().notifies = false;
        for whole in [false, true] {
            let before = fake.state().asked("getProgramAccounts");
            fake.fail("getProgramAccounts", u32::MAX, What::Cut { after: 15, whole });
            fake.tick();
            fake.set(key(1), bytes(&record(1, if whole { Verified } else { Migrated })));
            until("it was asked for again", || async {
                fake.state().asked("getProgramAccounts") > before + 3
            })
            .await;
            assert_eq!(mirror.store.rows(None, 99).await.unwrap().len(), 20, "nothing is closed");
            fake.state().faults.clear();
            mirror.equal("once it is whole").await;
            assert!(equal(&mirror.store, fake).await);
        }
        mirror.health("nothing is left of it", |h| h.is_healthy()).await;
        mirror.end().await;
    }
}
