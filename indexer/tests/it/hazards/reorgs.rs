//! Confirmed is not final: slots that become final together, and orphaned slots.
use std::time::Duration;

use indexer::SourceConfig;
use upgrade_manager::state::AccountStatus::{Migrated, Pending, Verified};

use crate::{
    common::{
        fake::{FakeSolana, Tx, What, emitted},
        fixtures::{bytes, key, record},
        mirror::{Mirror, live},
        until,
    },
    on_both_stores,
};

/// A mirror of five records on a node whose slots only the test advances.
async fn still(place: &crate::common::Place, change: fn(SourceConfig) -> SourceConfig) -> Mirror {
    let mirror = Mirror::start_with(place, 5, change).await;
    {
        let mut state = mirror.fake.state();
        // From here on, the test decides what becomes final.
        (state.ticks, state.depth) = (false, 1 << 40);
    }
    mirror.fake.tick();
    mirror
}

async fn final_upto(mirror: &Mirror, slot: u64) {
    mirror.fake.root(slot);
    until("the store knows what is final", || async {
        mirror.store.state().await.unwrap().root_slot == slot
    })
    .await;
}

/// Advances the chain until the mirror is final up to `slot`.
async fn go_on(mirror: &Mirror, slot: u64) {
    {
        let mut state = mirror.fake.state();
        (state.ticks, state.depth) = (true, 4);
    }
    until("the frontier moves on", || async {
        mirror.store.state().await.unwrap().frontier_slot > slot
    })
    .await;
}

on_both_stores! {
    async fn hazard_05_five_slots_become_final_at_once(place) {
        let mirror = still(place, |c| c).await;
        let fake = &mirror.fake;
        let first = fake.state().slot;
        for n in 1..=5 {
            fake.tick();
            fake.set(key(n), bytes(&record(n, Migrated)));
        }
        mirror.equal("it is confirmed").await;
        let slots: Vec<u64> = (first + 1..=first + 5).collect();
        let open = mirror.store.undo_slots(u64::MAX >> 1).await.unwrap();
        assert_eq!(open, slots, "and can still be undone");
        assert!(mirror.store.state().await.unwrap().root_slot <= first);
        final_upto(&mirror, first + 5).await;
        until("all five are final", || async {
            mirror.store.undo_slots(u64::MAX >> 1).await.unwrap().is_empty()
        })
        .await;
        mirror.equal("as they were").await;
        assert_eq!(mirror.metric("undo_restored_total"), 0.0);
        let asked = fake.state().log.iter().filter(|(m, _)| m == "programSubscribe")
            .all(|(_, p)| p[1]["commitment"] == "confirmed");
        assert!(asked, "a subscription to what is final skips slots");
        mirror.end().await;
    }

    async fn hazard_06_a_confirmed_slot_disappears(place) {
        let mirror = still(place, |c| c).await;
        let fake = &mirror.fake;
        // Lists are refused, so only the undo log can restore the state.
        fake.fail("getProgramAccounts", u32::MAX, What::Code(-32_603, "Internal error"));
        fake.tick();
        let lost = fake.state().slot;
        fake.set(key(1), bytes(&record(1, Verified)));
        fake.set(key(2), bytes(&record(2, Migrated)));
        fake.set(key(9), bytes(&record(9, Migrated)));
        let vote = upgrade_manager::events::ProposalExpired { proposal: key(60), program: key(50) };
        let tx = Tx {
            slot: lost,
            signature: solana_signature::Signature::from([6; 64]).to_string(),
            failed: false,
            version: 0,
            inner: vec![emitted(&vote)],
        };
        fake.state().history.push(tx);
        mirror.equal("value A is mirrored while it is confirmed").await;
        fake.fork_away(lost);
        fake.state().history.clear();
        fake.tick();
        fake.set(key(2), bytes(&record(2, Verified)));
        fake.set(key(3), bytes(&record(3, Migrated)));
        let stays = fake.state().slot;
        until("value B is there", || async {
            let rows = mirror.store.rows(None, 99).await.unwrap();
            rows.iter().any(|r| r.raw == bytes(&record(3, Migrated)))
        })
        .await;
        fake.tick();
        fake.root(stays);
        mirror.equal("value A is gone, B stays, and what was made by A is no more").await;
        until("it is counted", || async { mirror.metric("undo_restored_total") > 0.0 }).await;
        assert_eq!(mirror.metric("undo_restored_total"), 2.0, "B was not undone with A");
        assert!(!mirror.indexer.health.borrow().is_healthy(), "until everything was read again");
        assert!(mirror.store.state().await.unwrap().frontier_slot < lost);
        fake.state().faults.clear();
        go_on(&mirror, stays).await;
        assert_eq!(mirror.store.audit(None, 9).await.unwrap(), [], "and the log never had it");
        mirror.equals_a_fresh_one().await;
        mirror.health("all is well", |h| h.is_healthy() && h.error.is_none()).await;
        mirror.end().await;
    }

    async fn hazard_06_a_snapshot_was_of_a_slot_that_disappears(place) {
        let fake = FakeSolana::start().await;
        for n in 1..=5 {
            fake.set(key(n), bytes(&record(n, Pending)));
        }
        {
            let mut state = fake.state();
            (state.ticks, state.depth) = (false, 1 << 40);
        }
        fake.tick();
        let mirror = Mirror::of(fake.clone(), place, |c| c).await;
        let ticking = async {
            loop {
                // The list is read at the stream's first slot.
                tokio::time::sleep(Duration::from_millis(20)).await;
                if fake.state().snapshots > 0 {
                    break;
                }
                if fake.state().asked("programSubscribe") > 0 {
                    let next = fake.state().slot + 1;
                    fake.tick();
                    fake.state().notifies = false;
                    fake.set(key(1), bytes(&record(1, if next % 2 == 0 { Migrated } else { Verified })));
                    fake.state().notifies = true;
                }
            }
        };
        ticking.await;
        live(&mirror.indexer).await;
        let lost = mirror.store.state().await.unwrap().snapshot_slot;
        fake.fork_away(lost);
        fake.tick();
        fake.set(key(2), bytes(&record(2, Migrated)));
        let stays = fake.state().slot;
        fake.tick();
        assert_eq!(fake.state().snapshots, 1);
        fake.root(stays);
        mirror.equal("everything is read again").await;
        go_on(&mirror, stays).await;
        mirror.equals_a_fresh_one().await;
        mirror.end().await;
    }
}
