//! Accounts that are gone, and lists that only look as if they were.
use std::time::Duration;

use indexer::{Reason, SourceConfig};
use upgrade_manager::state::{
    AccountStatus::{Migrated, Pending, Verified},
    ProposalStatus,
};

use crate::{
    common::{
        fake::{FakeSolana, What},
        fixtures::{PROGRAM_ID, bytes, key, multisig, program, proposal, record},
        mirror::{Mirror, equal, is_reconnecting, live},
        until,
    },
    on_both_stores,
};

fn often(config: SourceConfig) -> SourceConfig {
    SourceConfig { reconcile: Duration::from_millis(100), ..config }
}

on_both_stores! {
    async fn hazard_03_an_account_is_closed_and_nobody_is_told(place) {
        let mirror = Mirror::start_with(place, 5, often).await;
        mirror.fake.close_account(&key(2));
        mirror.equal("the next complete list finds it").await;
        until("it is counted", || async { mirror.metric("snapshot_tombstones_total") >= 1.0 }).await;
        // What was said before it comes after it.
        let floor = mirror.store.view().await.unwrap().frontier;
        mirror.fake.tell(key(2), floor - 1, PROGRAM_ID, &bytes(&record(2, Verified)));
        mirror.fake.set(key(9), bytes(&record(9, Verified)));
        mirror.equal("it does not come back").await;
        // Made again, with the bytes it had.
        mirror.fake.tick();
        mirror.fake.set(key(2), bytes(&record(2, Pending)));
        mirror.equal("it lives again").await;
        mirror.end().await;
    }

    async fn hazard_03_an_account_is_closed_and_made_again_while_nobody_listens(place) {
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
        // One that is made later is watched as well.
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

    async fn hazard_04_a_list_lacks_half_of_the_accounts_or_all(place) {
        let mirror = Mirror::start_with(place, 20, often).await;
        let fake = &mirror.fake;
        for cut in [20, 12] {
            fake.state().cut = cut;
            let suspect = |h: &indexer::Health| h.reasons.contains(&Reason::SnapshotSuspect);
            let seen = mirror.health("it is doubted", suspect).await;
            let said = format!("returned {} of the 20 manager accounts", 20 - cut);
            assert!(seen.error.as_ref().is_some_and(|e| e.contains(&said)), "{seen:?}");
            assert_eq!(mirror.store.rows(None, 99).await.unwrap().len(), 20);
            if cut == 20 {
                let first = fake.state().snapshots;
                until("an empty list is never believed", || async {
                    fake.state().snapshots > first + 3
                })
                .await;
                assert_eq!(mirror.store.rows(None, 99).await.unwrap().len(), 20);
            }
            fake.state().cut = 0;
            mirror.health("it is believed again", |h| h.is_healthy()).await;
            mirror.equal("and nothing was closed").await;
        }
        // Twelve of twenty do close: the same answer twice is believed.
        for n in 1..=12 {
            fake.close_account(&key(n));
        }
        mirror.equal("it is believed the second time").await;
        mirror.end().await;
    }

    async fn hazard_04_a_list_breaks_off_in_the_middle(place) {
        let mirror = Mirror::start_with(place, 20, often).await;
        let fake = &mirror.fake;
        fake.state().tells = false;
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
