//! History: the audit log and votes in any order.
use std::sync::Arc;

use indexer::{Store, audit::check_chain, backfill_once};
use solana_pubkey::Pubkey;
use upgrade_manager::state::{Choice, ProposalStatus, UpgradeProposal, Vote};

use crate::{
    common::{
        TEST_TIMEOUT,
        fake::{FakeSolana, Quirk},
        fixtures::{bytes, key, proposal},
        mirror::{Mirror, live},
        past::{head, read, revoked, signature, tricky, tx, vote},
        until,
    },
    on_both_stores,
};

fn row(kind: &str, slot: u64, tx: u32, inner: u32, n: u8) -> (String, u64, u32, u32, String) {
    (kind.to_owned(), slot, tx, inner, signature(n))
}

/// The proposal with these votes.
fn voted(members: &[u8]) -> UpgradeProposal {
    let mut account = proposal(ProposalStatus::Active);
    account.ballot.votes = members
        .iter()
        .map(|n| Vote { member: key(*n), choice: Choice::Approve, at: 1_700_000_100 })
        .collect();
    account
}

async fn voters(store: &Arc<dyn Store>) -> Vec<Pubkey> {
    let view = store.view().await.unwrap();
    let ballot = view.proposals.first().map(|p| p.account.ballot.votes.clone());
    ballot.unwrap_or_default().into_iter().map(|v| v.member).collect()
}

on_both_stores! {
    async fn hazard_16_history_is_out_of_order_doubled_forged_and_partly_failed(place) {
        let (fake, store) = (FakeSolana::start().await, place.open().await);
        {
            let mut state = fake.state();
            (state.ticks, state.slot, state.finalized) = (false, 50, 25);
            (state.history, state.quirk, state.signatures) = (tricky(), Quirk::Shuffled, 4);
        }
        backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        let mut expected = vec![
            row("VoteCast", 10, 0, 1, 1),
            row("VoteCast", 10, 0, 2, 1),
            row("VoteCast", 20, 0, 0, 2),
            row("VoteRevoked", 20, 1, 0, 3),
        ];
        assert_eq!(read(&store).await, expected, "slot 30 is not final");
        {
            let mut state = fake.state();
            (state.finalized, state.quirk, state.signatures) = (40, Quirk::None, 1_000);
        }
        backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        expected.push(row("VoteCast", 30, 0, 0, 6));
        assert_eq!(read(&store).await, expected);
        assert_eq!(check_chain(store.as_ref()).await.unwrap(), None);
        // A second indexer that reads everything at once gets the same head.
        let other: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
        backfill_once(fake.config(), Arc::clone(&other)).await.unwrap();
        assert_eq!(head(&store).await, head(&other).await);
    }

    async fn hazard_16_history_is_ambiguous(place) {
        let (fake, store) = (FakeSolana::start().await, place.open().await);
        fake.state().history = vec![tx(20, 2, vec![vote(1, 1)]), tx(20, 3, vec![revoked(1)])];
        for (quirk, said) in [
            (Quirk::Circle, "go in a circle"),
            (Quirk::NoBlock, "block 20 lacks a transaction"),
            (Quirk::NoInner, "without its inner instructions"),
        ] {
            fake.state().quirk = quirk;
            let reading = backfill_once(fake.config(), Arc::clone(&store));
            let error = tokio::time::timeout(TEST_TIMEOUT, reading).await.unwrap().unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert_eq!((read(&store).await.len(), store.history_mark().await.unwrap()), (0, 0));
        }
        fake.state().quirk = Quirk::None;
        backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        assert_eq!(read(&store).await.len(), 2);
    }

    async fn hazard_17_votes_and_their_history_arrive_in_either_order(place) {
        let fake = FakeSolana::start().await;
        fake.set(key(60), bytes(&voted(&[])));
        let mirror = Mirror::of(fake.clone(), place, |c| c).await;
        live(&mirror.indexer).await;
        // Approve, revoke, approve: the account change arrives before the history.
        for (n, members) in [(1u8, &[3][..]), (2, &[]), (3, &[3])] {
            fake.set(key(60), bytes(&voted(members)));
            let expected: Vec<Pubkey> = members.iter().map(|m| key(*m)).collect();
            until("the account alone says who has voted", || async {
                voters(&mirror.store).await == expected
            })
            .await;
            assert_eq!(read(&mirror.store).await.len(), 0, "nothing of it is final, at {n}");
        }
        let slot = fake.state().finalized + 1;
        fake.state().history = vec![
            tx(slot, 1, vec![vote(3, 1)]), tx(slot, 2, vec![revoked(3)]), tx(slot, 3, vec![vote(3, 1)]),
        ];
        until("history follows", || async { read(&mirror.store).await.len() == 3 }).await;
        assert_eq!(voters(&mirror.store).await, [key(3)]);
        // The history arrives before the account change.
        fake.state().notifies = false;
        fake.set(key(60), bytes(&voted(&[3, 4])));
        let slot = fake.state().slot;
        fake.state().history.push(tx(slot, 4, vec![vote(4, 2)]));
        until("history is there", || async { read(&mirror.store).await.len() == 4 }).await;
        assert_eq!(voters(&mirror.store).await, [key(3)], "only the account says who has voted");
        fake.state().notifies = true;
        fake.set(key(60), bytes(&voted(&[3, 4])));
        mirror.equal("then it does").await;
        assert_eq!(voters(&mirror.store).await, [key(3), key(4)]);
        let kinds: Vec<String> = read(&mirror.store).await.into_iter().map(|r| r.0).collect();
        assert_eq!(kinds, ["VoteCast", "VoteRevoked", "VoteCast", "VoteCast"]);
        mirror.end().await;
    }
}
