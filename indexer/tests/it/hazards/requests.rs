//! Refused calls: too many, or too large.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use indexer::{SourceConfig, backfill_once};
use upgrade_manager::state::{
    AccountStatus::{Migrated, Pending, Verified},
    ProposalStatus,
};

use crate::{
    common::{
        fake::{FakeSolana, What},
        fixtures::{backup, bytes, key, multisig, program, proposal, record},
        mirror::{Mirror, equal, is_reconnecting, live},
        until,
    },
    on_both_stores,
};

/// How long the node refuses every call.
const REFUSAL_TIME: Duration = Duration::from_secs(4);
/// The pause of "Retry-After: 3".
const RETRY_AFTER_PAUSE: Duration = Duration::from_secs(3);
/// Upper bound of the mirror's concurrent calls; without a pause it makes 80 per second.
const MAX_IN_FLIGHT: usize = 8;

/// Very short intervals, so that the mirror calls all the time.
fn eager(config: SourceConfig) -> SourceConfig {
    let soon = Duration::from_millis(50);
    SourceConfig { reconcile: soon, clock: soon, history: soon, probe: soon, ..config }
}

on_both_stores! {
    async fn hazard_12_too_many_requests_without_retry_after(place) {
        let mirror = Mirror::start_with(place, 5, eager).await;
        let fake = &mirror.fake;
        let before = fake.state().log.len();
        until("it asks all the time", || async { fake.state().log.len() > before + 30 }).await;
        fake.fail("*", u32::MAX, What::Status(429, None));
        let begin = Instant::now();
        tokio::time::sleep(REFUSAL_TIME).await;
        let stormy = fake.state().came_within(begin, REFUSAL_TIME);
        // Pauses of 0.5, 1 and 2 s, plus the calls in flight at the start. A busy machine makes fewer
        // calls, never more.
        assert!(stormy <= 15, "{stormy} calls in {REFUSAL_TIME:?}");
        fake.set(key(1), bytes(&record(1, Verified)));
        mirror.equal("the stream goes on").await;
        until("it is counted", || async { mirror.metric("rpc_errors_total") >= 1.0 }).await;
        fake.close_account(&key(2));
        fake.state().faults.clear();
        mirror.equal("and so does reading, once it may").await;
        mirror.health("all is well", |h| h.is_healthy() && h.error.is_none()).await;
        mirror.end().await;
    }

    async fn hazard_12_too_many_requests_with_retry_after(place) {
        let mirror = Mirror::start_with(place, 5, eager).await;
        let fake = &mirror.fake;
        fake.fail("*", u32::MAX, What::Status(429, Some("3")));
        let begin = Instant::now();
        let first = || fake.state().first_since(begin);
        until("it was asked", || async { first().is_some() }).await;
        let first = first().unwrap();
        tokio::time::sleep(RETRY_AFTER_PAUSE).await;
        // The pause begins after the first refusal, so it covers all of this time. One call of each
        // kind may have been in flight.
        let asked = fake.state().came_within(first, RETRY_AFTER_PAUSE);
        assert!(asked <= MAX_IN_FLIGHT, "{asked} calls, and nobody may ask for {RETRY_AFTER_PAUSE:?}");
        fake.state().faults.clear();
        fake.close_account(&key(2));
        mirror.equal("then it does").await;
        mirror.end().await;
    }

    async fn hazard_12_the_websocket_is_rate_limited(place) {
        let mirror = Mirror::start(place, 5).await;
        let fake = &mirror.fake;
        fake.fail("websocket", 2, What::Status(429, Some("1")));
        let before = fake.state().asked("websocket");
        fake.drop_sockets();
        mirror.health("the cut is noticed", is_reconnecting).await;
        fake.set(key(1), bytes(&record(1, Verified)));
        live(&mirror.indexer).await;
        mirror.equal("it got through").await;
        assert_eq!(fake.state().asked("websocket") - before, 3, "two refusals, one connection");
        until("it is counted", || async { mirror.metric("reconnects_total{reason=\"limited\"}") >= 2.0 }).await;
        mirror.end().await;
    }

    async fn hazard_13_a_program_is_too_large_for_one_list(place) {
        let fake = FakeSolana::start().await;
        fake.set(key(200), bytes(&multisig()));
        fake.set(key(201), bytes(&program(1)));
        fake.set(key(202), bytes(&proposal(ProposalStatus::Active)));
        for n in 203..=206 {
            fake.set(key(n), bytes(&backup(n)));
        }
        for n in 1..=24 {
            fake.set(key(n), bytes(&record(n, Pending)));
        }
        let store = place.open().await;
        let mute = What::Mute;
        let many = What::TOO_MANY;
        let large = What::Status(413, None);
        // The refusal, the account limit, and whether pages are offered: for the whole list, for lists
        // by type, and for shards by a byte, down to two accounts each.
        let rounds = [
            (many.clone(), 30, true), (large.clone(), 30, true),
            (many.clone(), 30, false), (large.clone(), 30, false),
            (What::SCAN_LIMIT, 30, false), (mute.clone(), 30, false),
            (What::SCAN_LIMIT, 2, false), (many, 2, false), (large, 2, false), (mute, 2, false),
        ];
        for (round, (refusal, most, v2)) in rounds.into_iter().enumerate() {
            let said = format!("{refusal:?} above {most}, pages: {v2}");
            let mute = matches!(refusal, What::Mute);
            let n = u8::try_from(round).unwrap();
            {
                let mut state = fake.state();
                state.log.clear();
                // Each time one account is created, one changes and one is closed.
                (state.v2, state.page) = (v2, 7);
                state.most = Some((if most == 30 { 24 } else { most }, refusal));
            }
            fake.tick();
            fake.set(key(100 + n), bytes(&record(100 + n, Pending)));
            fake.set(key(12 + n), bytes(&record(12 + n, Migrated)));
            fake.close_account(&key(1 + n));
            // A timeout would mean that the node never answered.
            let snapshot_timeout = if mute { 2 } else { 60 };
            let snapshot_timeout = Duration::from_secs(snapshot_timeout);
            let config =
                SourceConfig { snapshot_timeout, timeout: snapshot_timeout, ..fake.config() };
            let done = backfill_once(config, Arc::clone(&store)).await;
            let done = done.unwrap_or_else(|e| panic!("{said}: {e}"));
            assert!(equal(&store, &fake).await, "{said}");
            if round > 0 {
                assert_eq!((done.written, done.closed), (2, 1), "{said}");
            }
            assert_eq!(fake.state().asked("getProgramAccountsV2") > 3, v2, "{said}");
            assert!(fake.state().asked("getProgramAccounts") < 1_000, "{said}");
        }
        assert_eq!(store.progress(false).await.unwrap(), store.progress(true).await.unwrap());
    }

    async fn hazard_13_a_node_refuses_to_list_the_program(place) {
        let mirror = Mirror::start(place, 20).await;
        let fake = mirror.fake.clone();
        let store = Arc::clone(&mirror.store);
        mirror.end().await;
        // Only known accounts are read by address, and only these can be closed.
        for (round, refusal) in [What::KEY_EXCLUDED, What::SCAN_LIMIT, What::MISSING].into_iter().enumerate() {
            let n = u8::try_from(round).unwrap();
            fake.state().most = Some((0, refusal));
            fake.tick();
            fake.close_account(&key(1 + n));
            fake.set(key(10 + n), bytes(&record(10 + n, Verified)));
            let often = SourceConfig { reconcile: Duration::from_millis(100), ..fake.config() };
            let indexer = indexer::spawn(often, Arc::clone(&store));
            until("the accounts that are known are as they are", || equal(&store, &fake)).await;
            assert!(fake.state().asked("getMultipleAccounts") > 0);
            indexer.shutdown().await;
        }
    }
}
