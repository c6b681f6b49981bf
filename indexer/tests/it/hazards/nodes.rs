//! Nodes that lag, change, or belong to another cluster.
use std::{sync::Arc, time::Duration};

use indexer::{Conn, SourceConfig, backfill_once, source::Endpoint};
use upgrade_manager::state::AccountStatus::{Migrated, Pending, Verified};

use crate::{
    common::{
        fake::FakeSolana,
        fixtures::{PROGRAM_ID, bytes, key, record},
        mirror::{Mirror, equal, is_reconnecting, live},
        until,
    },
    on_both_stores,
};

fn endpoint(fake: &FakeSolana) -> Endpoint {
    Endpoint { rpc_url: fake.http.clone(), ws_url: fake.ws.clone() }
}

on_both_stores! {
    async fn hazard_10_the_next_node_is_50_slots_behind(place) {
        let fake = FakeSolana::start().await;
        for n in 1..=5 {
            fake.set(key(n), bytes(&record(n, Pending)));
        }
        let slot = fake.state().slot;
        until("some slots pass", || async { fake.state().slot > slot + 60 }).await;
        let other = fake.follower(50).await;
        let second = endpoint(&other);
        let often = |c: SourceConfig| {
            let c = c.with_more([second]);
            SourceConfig { reconcile: Duration::from_millis(300), ..c }
        };
        let mirror = Mirror::of(fake.clone(), place, often).await;
        live(&mirror.indexer).await;
        fake.set(key(1), bytes(&record(1, Verified)));
        fake.set(key(6), bytes(&record(6, Migrated)));
        fake.close_account(&key(5));
        until("the change is there", || async {
            let rows = mirror.store.rows(None, 9).await.unwrap();
            rows[0].raw == bytes(&record(1, Verified)) && rows.iter().any(|r| r.pubkey == key(6))
        })
        .await;
        // The chain pauses until a current list is in the store.
        fake.state().ticks = false;
        let floor = fake.state().slot;
        until("everything was read again", || async {
            mirror.store.state().await.unwrap().snapshot_slot == floor
        })
        .await;
        assert!(other.state().slot < floor, "it has seen no such list");
        (fake.state().ticks, fake.state().down) = (true, true);
        fake.drop_sockets();
        mirror.health("the node is lost", is_reconnecting).await;
        let new = bytes(&record(1, Verified));
        until("the other one gets there, and nothing goes back meanwhile", || async {
            let rows = mirror.store.rows(None, 9).await.unwrap();
            assert_eq!(rows[0].raw, new, "an old state came back");
            assert!(rows.iter().any(|r| r.pubkey == key(6)), "a new account went away");
            let (there, is_live) = (other.state().slot, mirror.indexer.health.borrow().conn == Conn::Live);
            assert!(!is_live || there >= floor, "{there} was believed, {floor} was seen");
            is_live && equal(&mirror.store, &other).await
        })
        .await;
        // The chain continues on the other node.
        fake.set(key(2), bytes(&record(2, Verified)));
        mirror.equal("it is followed").await;
        mirror.end().await;
    }

    async fn hazard_10_the_first_node_falls_behind(place) {
        let fake = FakeSolana::start().await;
        for n in 1..=5 {
            fake.set(key(n), bytes(&record(n, Pending)));
        }
        let slot = fake.state().slot;
        until("some slots pass", || async { fake.state().slot > slot + 60 }).await;
        let slow = fake.follower(50).await;
        let config = |c: SourceConfig| SourceConfig {
            endpoints: vec![endpoint(&slow), endpoint(&fake)],
            ..c
        };
        let mirror = Mirror::of(fake.clone(), place, config).await;
        until("the slow one is left", || async { fake.state().connections > 0 }).await;
        live(&mirror.indexer).await;
        fake.set(key(1), bytes(&record(1, Verified)));
        fake.close_account(&key(2));
        mirror.health("the lag is gone", |h| h.lag() <= 20).await;
        until("the newest is there", || async {
            mirror.store.rows(None, 1).await.unwrap()[0].raw == bytes(&record(1, Verified))
        })
        .await;
        mirror.end().await;
    }

    async fn hazard_10_a_node_is_behind_what_the_mirror_has_seen(place) {
        let fake = FakeSolana::start().await;
        fake.set(key(1), bytes(&record(1, Pending)));
        let store = place.open().await;
        fake.state().slot = 5_000;
        backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        let before = store.rows(None, 9).await.unwrap();
        fake.state().slot = 4_000;
        fake.set(key(1), bytes(&record(1, Migrated)));
        fake.set(key(2), bytes(&record(2, Migrated)));
        fake.state().ticks = false;
        let error = backfill_once(fake.config(), Arc::clone(&store)).await.unwrap_err();
        assert!(error.to_string().contains("behind slot 5"), "{error}");
        assert_eq!(store.rows(None, 9).await.unwrap(), before);
    }

    async fn hazard_10_a_node_is_of_another_cluster(place) {
        let fake = FakeSolana::start().await;
        fake.set(key(1), bytes(&record(1, Pending)));
        let store = place.open().await;
        let run = store.begin_run(&PROGRAM_ID, &[9; 32], "a test").await.unwrap();
        store.end_run(&run).await.unwrap();
        drop(store);
        let mirror = Mirror::of(fake, place, |c| c).await;
        let stopped = |h: &indexer::Health| {
            matches!(&h.conn, Conn::Stopped { reason } if reason.contains("genesis hash"))
        };
        mirror.health("it stops with the reason", stopped).await;
        assert_eq!(mirror.store.rows(None, 9).await.unwrap(), []);
        assert_eq!(mirror.store.history_mark().await.unwrap(), 0);
        mirror.end().await;
    }

    async fn hazard_10_a_node_changes_its_cluster(place) {
        let often = |c| SourceConfig { reconcile: Duration::from_millis(100), ..c };
        let mirror = Mirror::start_with(place, 3, often).await;
        let before = mirror.store.rows(None, 9).await.unwrap();
        {
            let mut state = mirror.fake.state();
            (state.genesis, state.notifies) = ([8; 32], false);
            state.accounts.clear();
        }
        mirror.fake.set(key(7), bytes(&record(7, Pending)));
        mirror.fake.drop_sockets();
        let stopped = |h: &indexer::Health| {
            matches!(&h.conn, Conn::Stopped { reason } if reason.contains("now belongs to the cluster"))
        };
        mirror.health("it stops with the reason", stopped).await;
        assert_eq!(mirror.store.rows(None, 9).await.unwrap(), before);
        mirror.end().await;
    }
}
