//! Messages that arrive twice, late, out of order or at the same time.
use std::time::Duration;

use indexer::{RecordQuery, SourceConfig};
use upgrade_manager::state::AccountStatus::{Migrated, Pending, Restored, Verified};

use crate::{
    common::{
        fake::{FakeSolana, What},
        fixtures::{PROGRAM_ID, bytes, key, record},
        mirror::{HOUR, Mirror, live},
        until,
    },
    on_both_stores,
};

on_both_stores! {
    async fn hazard_01_changes_arrive_during_the_snapshot(place) {
        let fake = FakeSolana::start().await;
        for n in 1..=6 {
            fake.set(key(n), bytes(&record(n, Pending)));
        }
        // The list pauses before its first account, in the middle, and before its last.
        for (round, held) in [(0u8, 0), (1, 3), (2, 5)] {
            fake.tick();
            fake.state().snapshot_hold = Some(held);
            let mirror = Mirror::of(fake.clone(), place, |c| c).await;
            until("the list is held", || async { fake.state().held == 1 }).await;
            // Newer than the list's state, whether the list has sent the account or not.
            fake.tick();
            for status in [Migrated, Restored, Verified] {
                fake.set(key(1), bytes(&record(1, status)));
                fake.set(key(6), bytes(&record(6, status)));
            }
            fake.set(key(20 + round), bytes(&record(20 + round, Migrated)));
            fake.state().snapshot_hold = None;
            fake.set(key(2), bytes(&record(2, Verified)));
            live(&mirror.indexer).await;
            mirror.equal("what was told before, during and after is there").await;
            // Changed back for the next round.
            for n in [1, 2, 6] {
                fake.set(key(n), bytes(&record(n, Pending)));
            }
            mirror.equal("and what was told after that").await;
            let asked: Vec<_> = fake.state().log.iter().filter(|(m, _)| m == "getProgramAccounts").cloned().collect();
            let ops = mirror.store.ops(20).await.unwrap();
            assert_eq!(fake.state().asked("getProgramAccounts"), usize::from(round) + 1, "{asked:?} {ops:?}");
            mirror.end().await;
        }
    }

    async fn hazard_01_a_change_between_the_first_slot_and_the_snapshot(place) {
        // Confirmation trails, so the snapshot waits for the stream's first slot.
        let fake = FakeSolana::start().await;
        fake.state().unconfirmed = 12;
        for n in 1..=3 {
            fake.set(key(n), bytes(&record(n, Pending)));
        }
        let mirror = Mirror::of(fake.clone(), place, |c| c).await;
        live(&mirror.indexer).await;
        let (first, reached) = {
            let state = fake.state();
            let asked = state.log.iter().find(|(m, _)| m == "getProgramAccounts").unwrap();
            (asked.1[1]["minContextSlot"].as_u64().unwrap(), state.confirmed())
        };
        assert!(first > 100, "it asks for the slot at which the stream begins: {first}");
        assert!(reached >= first, "{reached} < {first}");
        let refused = fake.state().asked("getProgramAccounts");
        assert!(refused > 1, "the node was not there yet");
        mirror.equal("it is there").await;
        mirror.end().await;
    }

    async fn hazard_02_messages_come_twice_and_out_of_order(place) {
        let mirror = Mirror::start(place, 3).await;
        let fake = &mirror.fake;
        {
            let mut state = fake.state();
            (state.ticks, state.notifies) = (false, false);
        }
        for _ in 0..5 {
            fake.tick();
        }
        let now = fake.state().slot;
        for n in 1..=3 {
            fake.set(key(n), bytes(&record(n, Restored)));
        }
        fake.set(key(9), bytes(&record(9, Verified)));
        for n in 1..=3 {
            let order = [
                (now - 3, Migrated), (now - 1, Verified), (now - 2, Pending),
                (now - 1, Verified), (now - 3, Migrated), (now, Migrated), (now, Restored),
                (now - 1, Verified), (now - 3, Migrated),
            ];
            for (slot, status) in order {
                fake.notify(key(n), slot, PROGRAM_ID, &bytes(&record(n, status)));
            }
        }
        fake.notify(key(9), now, PROGRAM_ID, &bytes(&record(9, Verified)));
        until("the last message is there", || async {
            mirror.store.rows(None, 9).await.unwrap().iter().any(|r| r.pubkey == key(9))
        })
        .await;
        mirror.equal("the newest of each is there").await;
        let rows = mirror.store.account_versions(&key(50), RecordQuery { limit: 9, ..Default::default() }).await.unwrap();
        assert!(rows.iter().all(|r| r.slot == now), "{rows:?}");
        mirror.end().await;
    }

    async fn hazard_02_the_last_of_two_changes_in_one_slot_wins(place) {
        let mirror = Mirror::start(place, 1).await;
        mirror.fake.state().ticks = false;
        // Each in its own batch, and all in one.
        for _ in 0..2 {
            for status in [Migrated, Verified, Restored] {
                mirror.fake.set(key(1), bytes(&record(1, status)));
                mirror.equal("each of them").await;
            }
        }
        for status in [Migrated, Restored, Verified] {
            mirror.fake.set(key(1), bytes(&record(1, status)));
        }
        mirror.equal("the last of them").await;
        assert_eq!(mirror.fake.state().snapshots, 1, "the stream alone brought it");
        mirror.end().await;
    }

    async fn hazard_11_a_snapshot_names_an_older_slot_than_its_data_has(place) {
        let often = |c| SourceConfig { reconcile: Duration::from_millis(150), ..c };
        let mirror = Mirror::start_with(place, 3, often).await;
        let fake = &mirror.fake;
        {
            let mut state = fake.state();
            (state.ticks, state.notifies, state.lie) = (false, false, 4);
        }
        for _ in 0..9 {
            fake.tick();
        }
        let slot = fake.state().slot;
        fake.set(key(1), bytes(&record(1, Verified)));
        mirror.equal("the list brings it under an older slot").await;
        let (head, rev) = (mirror.store.view().await.unwrap().frontier, mirror.store.revision().await.unwrap());
        assert!(head < slot);
        // The stream catches up: first an older state than the list's, then the same.
        fake.set(key(2), bytes(&record(2, Migrated)));
        fake.notify(key(1), slot - 1, PROGRAM_ID, &bytes(&record(1, Migrated)));
        fake.notify(key(1), slot, PROGRAM_ID, &bytes(&record(1, Verified)));
        fake.notify(key(2), slot, PROGRAM_ID, &bytes(&record(2, Migrated)));
        mirror.equal("the final state is right").await;
        let query = RecordQuery { limit: 9, ..Default::default() };
        until("the row has the slot of its state", || async {
            let rows = mirror.store.account_versions(&key(50), query).await.unwrap();
            rows[0].slot == slot
        })
        .await;
        // The same content again changes no revision.
        mirror.equal("still").await;
        let rev = mirror.store.revision().await.unwrap().max(rev);
        fake.notify(key(1), slot, PROGRAM_ID, &bytes(&record(1, Verified)));
        fake.notify(key(3), slot, PROGRAM_ID, &bytes(&record(3, Migrated)));
        until("what came behind it is there", || async {
            mirror.store.revision().await.unwrap() > rev
        })
        .await;
        assert_eq!(mirror.store.revision().await.unwrap(), rev + 1, "one row, one revision");
        mirror.end().await;
    }

    async fn hazard_15_the_pages_of_one_list_are_of_different_slots(place) {
        let fake = FakeSolana::start().await;
        for n in 1..=6 {
            fake.set(key(n), bytes(&record(n, Pending)));
        }
        {
            let mut state = fake.state();
            (state.v2, state.page, state.most) = (true, 2, Some((3, What::TOO_MANY)));
            (state.snapshot_delay, state.ticks) = (Duration::from_millis(300), true);
        }
        let mirror = Mirror::of(fake.clone(), place, |c| SourceConfig { reconcile: HOUR, ..c }).await;
        until("the first page is taken", || async { fake.state().snapshots == 1 }).await;
        // Newer than the first page, older than the others: taking the newest page's slot for all
        // pages would drop this as stale.
        fake.tick();
        fake.set(key(1), bytes(&record(1, Migrated)));
        let changed = fake.state().slot;
        fake.tick();
        live(&mirror.indexer).await;
        assert!(fake.state().snapshots > 2, "there were pages");
        mirror.equal("what changed between two pages is there").await;
        let snapshot = mirror.store.state().await.unwrap().snapshot_slot;
        assert!(snapshot < changed, "the list is of its oldest page: {snapshot} and {changed}");
        mirror.end().await;
    }
}
