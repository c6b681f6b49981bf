//! The audit log from transaction history: exact, in order, and the same however it was read.
use std::{sync::Arc, time::Duration};

use anchor_lang::Event;
use indexer::{SourceConfig, Store, audit::check_chain, backfill_once, spawn};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use upgrade_manager::{
    events::{AccountClosed, ClosedKind, ProposalExpired, VoteCast, VoteRevoked},
    state::{
        AccountStatus::Migrated,
        Choice,
        ProposalStatus::{self, Active},
    },
};

use crate::{
    common::{
        PATIENCE,
        fake::{FakeSolana, Quirk, Tx, emitted},
        fixtures::{PROGRAM_ID, bytes, key, record},
        until,
    },
    join::{equal, live},
    on_both_stores,
};

fn signature(n: u8) -> String {
    Signature::from([n; 64]).to_string()
}

fn vote(member: u8, approvals: u8) -> (Pubkey, Pubkey, Vec<u8>) {
    emitted(&VoteCast {
        proposal: key(60),
        program: key(50),
        member: key(member),
        choice: Choice::Approve,
        approvals,
        status: Active,
        eta: 0,
    })
}

fn revoked(member: u8) -> (Pubkey, Pubkey, Vec<u8>) {
    let (proposal, program) = (key(60), key(50));
    let status = ProposalStatus::Active;
    emitted(&VoteRevoked { proposal, program, member: key(member), approvals: 0, status })
}

fn tx(slot: u64, n: u8, inner: Vec<(Pubkey, Pubkey, Vec<u8>)>) -> Tx {
    Tx { slot, signature: signature(n), failed: false, inner }
}

/// A history with everything that can mislead a reader.
fn tricky() -> Vec<Tx> {
    let expired = ProposalExpired { proposal: key(60), program: key(50) };
    let real = emitted(&expired);
    // The same bytes, sent by another program, or without the manager's own signature.
    let foreign = (key(66), real.1, real.2.clone());
    let unsigned = (PROGRAM_ID, key(67), real.2.clone());
    let logged = (PROGRAM_ID, real.1, expired.data());
    vec![
        tx(10, 1, vec![(key(66), key(1), vec![1, 2, 3]), vote(1, 1), vote(2, 2)]),
        // Two transactions in one slot: approve, then revoke.
        tx(20, 2, vec![vote(3, 3)]),
        tx(20, 3, vec![revoked(3)]),
        Tx { failed: true, ..tx(21, 4, vec![vote(4, 4)]) },
        tx(22, 5, vec![foreign, unsigned, logged]),
        tx(30, 6, vec![vote(3, 3)]),
    ]
}

async fn read(store: &Arc<dyn Store>) -> Vec<(String, u64, u32, u32, String)> {
    let rows = store.audit(Some(0), 1_000).await.unwrap();
    let row = |r: indexer::AuditRow| (r.kind, r.slot, r.tx_index, r.inner_index, r.signature);
    rows.into_iter().map(row).collect()
}

async fn head(store: &Arc<dyn Store>) -> [u8; 32] {
    assert_eq!(check_chain(store.as_ref()).await.unwrap(), None);
    store.audit(None, 1).await.unwrap()[0].hash
}

on_both_stores! {
    async fn only_real_events_of_successful_final_transactions_are_logged_in_order(place) {
        let (fake, store) = (FakeSolana::start().await, place.open().await);
        {
            let mut state = fake.state();
            (state.ticks, state.slot, state.finalized) = (false, 50, 25);
            state.history = tricky();
        }
        let config = fake.config();
        backfill_once(config.clone(), Arc::clone(&store)).await.unwrap();
        let row = |kind: &str, slot, tx, inner, n| (kind.to_owned(), slot, tx, inner, signature(n));
        let mut expected = vec![
            row("VoteCast", 10, 0, 1, 1),
            row("VoteCast", 10, 0, 2, 1),
            row("VoteCast", 20, 0, 0, 2),
            row("VoteRevoked", 20, 1, 0, 3),
        ];
        assert_eq!(read(&store).await, expected, "slot 30 is not final");
        fake.state().finalized = 40;
        backfill_once(config, Arc::clone(&store)).await.unwrap();
        expected.push(row("VoteCast", 30, 0, 0, 6));
        assert_eq!(read(&store).await, expected);
    }

    async fn another_reader_with_other_restarts_gets_the_same_head(place) {
        let (fake, store) = (FakeSolana::start().await, place.open().await);
        fake.state().history = tricky();
        fake.state().finalized = 40;
        backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        let other: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
        let run = other.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap();
        let all = store.audit(Some(0), 100).await.unwrap();
        for row in &all[..3] {
            let entry = indexer::AuditEntry {
                slot: row.slot, tx_index: row.tx_index, ix_index: row.ix_index,
                inner_index: row.inner_index, signature: row.signature.parse().unwrap(),
                time: None, payload: row.payload.clone(),
            };
            // Killed in the middle of slot 20, after its first event.
            other.append_audit(&run, vec![entry], row.slot - 1).await.unwrap();
        }
        backfill_once(fake.config(), Arc::clone(&other)).await.unwrap();
        assert_eq!(head(&store).await, head(&other).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_closing_makes_the_mirror_read_everything_again_at_once() {
    let fake = FakeSolana::start().await;
    let store: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
    for n in 1..=3 {
        fake.set(key(n), bytes(&record(n, Migrated)));
    }
    let hourly = SourceConfig { reconcile: Duration::from_secs(3_600), ..fake.config() };
    let indexer = spawn(hourly, Arc::clone(&store));
    live(&indexer).await;
    fake.close_account(&key(2));
    let slot = fake.state().finalized + 1;
    let closed = AccountClosed {
        kind: ClosedKind::AccountVersion,
        account: key(2),
        program: key(50),
        refund: key(1),
    };
    fake.state().history.push(tx(slot, 9, vec![emitted(&closed)]));
    until("the close is found", || equal(&store, &fake)).await;
    assert_eq!(store.audit(None, 1).await.unwrap()[0].kind, "AccountClosed");
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_the_node_no_longer_has_stops_the_log_instead_of_leaving_a_hole() {
    let fake = FakeSolana::start().await;
    let store: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
    let mut lost = tx(20, 2, vec![vote(2, 2)]);
    fake.state().history =
        vec![tx(10, 1, vec![vote(1, 1)]), lost.clone(), tx(30, 3, vec![vote(3, 3)])];
    fake.state().lost = Some(lost.signature.clone());
    let error = backfill_once(fake.config(), Arc::clone(&store)).await.unwrap_err();
    assert!(error.to_string().contains("getTransaction"), "{error}");
    assert!(read(&store).await.len() < 2, "nothing behind the hole");
    fake.state().lost = None;
    lost.slot = 20;
    backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
    assert_eq!(read(&store).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_of_another_cluster_behind_the_same_address_is_never_logged() {
    let fake = FakeSolana::start().await;
    let store: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
    fake.set(key(1), bytes(&record(1, Migrated)));
    let indexer = spawn(fake.config(), Arc::clone(&store));
    live(&indexer).await;
    // The websocket still stands: only the reading itself can notice.
    let slot = {
        let mut state = fake.state();
        state.genesis = [8; 32];
        let slot = state.finalized;
        state.history.push(tx(slot, 9, vec![vote(1, 1)]));
        slot
    };
    until("it is noticed", || async {
        let error = indexer.health.borrow().error.clone();
        error.is_some_and(|e| e.contains("now belongs to the cluster"))
    })
    .await;
    fake.drop_sockets();
    until("the mirror gives up", || async {
        matches!(indexer.health.borrow().conn, indexer::Conn::Stopped { .. })
    })
    .await;
    until("time passes", || async { fake.state().finalized > slot + 20 }).await;
    assert_eq!(store.audit(None, 9).await.unwrap(), []);
    indexer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_that_cannot_be_told_for_sure_is_refused_and_not_guessed() {
    let fake = FakeSolana::start().await;
    let store: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
    fake.state().history = vec![tx(20, 2, vec![vote(1, 1)]), tx(20, 3, vec![revoked(1)])];
    for (quirk, said) in [
        (Quirk::Circle, "go in a circle"),
        (Quirk::NoBlock, "block 20 lacks a transaction"),
        (Quirk::NoInner, "without its inner instructions"),
    ] {
        fake.state().quirk = quirk;
        let reading = backfill_once(fake.config(), Arc::clone(&store));
        let error = tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!((read(&store).await.len(), store.history_mark().await.unwrap()), (0, 0));
    }
    fake.state().quirk = Quirk::None;
    backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
    assert_eq!(read(&store).await.len(), 2);
}
