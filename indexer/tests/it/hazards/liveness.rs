//! Connections that only look alive, end, or skip changes.
use std::time::Duration;

use indexer::SourceConfig;
use upgrade_manager::state::{
    AccountStatus::{Migrated, Pending, Verified},
    ProposalStatus,
};

use crate::{
    common::{
        fake::FakeSolana,
        fixtures::{bytes, key, multisig, program, proposal, record},
        mirror::{HOUR, Mirror, is_reconnecting, live},
        until,
    },
    on_both_stores,
};

/// Changes accounts and closes one, without notifications.
fn change_silently(fake: &FakeSolana) {
    fake.state().notifies = false;
    fake.set(key(1), bytes(&record(1, Migrated)));
    fake.set(key(30), bytes(&record(30, Verified)));
    fake.close_account(&key(2));
    fake.tick();
    fake.state().notifies = true;
}

on_both_stores! {
    async fn hazard_07_an_open_socket_is_silent(place) {
        let brief = |c| SourceConfig { silence: Duration::from_millis(600), ..c };
        let mirror = Mirror::start_with(place, 5, brief).await;
        let fake = &mirror.fake;
        (fake.state().frozen, fake.state().hold) = (true, true);
        change_silently(fake);
        let seen = mirror.health("silence is noticed", is_reconnecting).await;
        assert!(seen.error.as_ref().is_some_and(|e| e.contains("said nothing for 0.6 s")), "{seen:?}");
        assert!(!seen.is_healthy());
        (fake.state().frozen, fake.state().hold) = (false, false);
        live(&mirror.indexer).await;
        mirror.equal("what it did not say is there").await;
        until("it is counted", || async { mirror.metric("reconnects_total") >= 1.0 }).await;
        mirror.health("all is well", |h| h.is_healthy() && h.error.is_none()).await;
        mirror.end().await;
    }

    async fn hazard_07_a_silent_socket_answers_no_ping(place) {
        let pings = |c| SourceConfig {
            silence: HOUR, ping: Duration::from_millis(100), ..c
        };
        let mirror = Mirror::start_with(place, 5, pings).await;
        let fake = &mirror.fake;
        (fake.state().frozen, fake.state().hold) = (true, true);
        change_silently(fake);
        mirror.health("missed pongs are noticed", is_reconnecting).await;
        (fake.state().frozen, fake.state().hold) = (false, false);
        live(&mirror.indexer).await;
        mirror.equal("what it did not say is there").await;
        mirror.end().await;
    }

    async fn hazard_07_a_busy_socket_answers_no_ping(place) {
        // Many slots long, so that even on a busy machine a slot arrives between two pings.
        let pings = |c| SourceConfig { ping: Duration::from_millis(400), ..c };
        let mirror = Mirror::start_with(place, 5, pings).await;
        let fake = &mirror.fake;
        fake.state().deaf = true;
        let slot = fake.state().slot;
        until("several pings pass", || async { fake.state().slot > slot + 45 }).await;
        fake.set(key(1), bytes(&record(1, Migrated)));
        mirror.equal("it is still listened to").await;
        assert_eq!(fake.state().connections, 1, "slots are life as well");
        mirror.end().await;
    }

    async fn hazard_08_an_acknowledged_subscription_is_dead(place) {
        let fake = FakeSolana::start().await;
        fake.set(key(40), bytes(&multisig()));
        fake.set(key(41), bytes(&program(1)));
        fake.set(key(60), bytes(&proposal(ProposalStatus::Active)));
        let probing = |c| SourceConfig { probe: Duration::from_millis(150), ..c };
        let mirror = Mirror::of(fake.clone(), place, probing).await;
        live(&mirror.indexer).await;
        for round in 2..=3 {
            // Slots continue, account notifications do not.
            fake.state().notifies = false;
            fake.tick();
            let mut moved = program(round);
            moved.counters.migrated += u32::from(round);
            fake.set(key(41), bytes(&moved));
            fake.set(key(1), bytes(&record(1, if round == 2 { Migrated } else { Verified })));
            mirror.equal("the probe finds it, and everything is read again").await;
            fake.state().notifies = true;
        }
        assert!(fake.state().snapshots >= 3);
        mirror.end().await;
    }

    async fn hazard_09_a_connection_is_cut_in_the_middle_of_the_stream(place) {
        let mirror = Mirror::start(place, 20).await;
        let fake = &mirror.fake;
        for n in 1..=10 {
            fake.set(key(n), bytes(&record(n, Verified)));
            if n == 5 {
                fake.state().hold = true;
                fake.drop_sockets();
            }
        }
        change_silently(fake);
        mirror.health("the cut is noticed", is_reconnecting).await;
        let before = mirror.store.state().await.unwrap().frontier_slot;
        fake.state().snapshot_hold = Some(10);
        fake.state().hold = false;
        until("the gap is being read", || async { fake.state().held == 1 }).await;
        // Slots become final meanwhile and are sent on the socket.
        let slot = fake.state().slot;
        until("time passes", || async { fake.state().slot > slot + 40 }).await;
        let state = mirror.store.state().await.unwrap();
        assert_eq!(state.frontier_slot, before, "the gap is open");
        fake.state().snapshot_hold = None;
        live(&mirror.indexer).await;
        mirror.equal("the gap is closed").await;
        mirror.equals_a_fresh_one().await;
        until("the frontier moves on", || async {
            mirror.store.state().await.unwrap().frontier_slot > slot
        })
        .await;
        until("it is counted", || async { mirror.metric("gap_repairs_total") >= 1.0 }).await;
        mirror.end().await;
    }

    async fn hazard_09_a_node_sends_a_close_code(place) {
        let mirror = Mirror::start(place, 5).await;
        let fake = &mirror.fake;
        for (round, code) in [1001, 1011, 1012].into_iter().enumerate() {
            fake.state().hold = true;
            fake.close_sockets(code);
            change_silently(fake);
            fake.set(key(2), bytes(&record(2, Pending)));
            let seen = mirror.health("the close is noticed", is_reconnecting).await;
            assert!(seen.error.as_ref().is_some_and(|e| e.contains(&code.to_string())), "{seen:?}");
            fake.state().hold = false;
            live(&mirror.indexer).await;
            mirror.equal("nothing is missing").await;
            assert_eq!(fake.state().connections, u32::try_from(round).unwrap() + 2);
        }
        mirror.end().await;
    }

    async fn hazard_09_accounts_change_between_two_runs(place) {
        let mirror = Mirror::start(place, 5).await;
        let (fake, store) = mirror.end().await;
        drop(store);
        fake.set(key(1), bytes(&record(1, Migrated)));
        fake.close_account(&key(2));
        fake.set(key(6), bytes(&record(6, Migrated)));
        fake.tick();
        let mirror = Mirror::of(fake, place, |c| c).await;
        live(&mirror.indexer).await;
        mirror.equal("what was missed is there, closes too").await;
        mirror.equals_a_fresh_one().await;
        mirror.end().await;
    }
}
