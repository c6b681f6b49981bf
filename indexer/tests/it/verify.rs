//! `verify` finds every difference and names its field.
use std::sync::Arc;

use indexer::{Store, backfill_once, verify};
use upgrade_manager::state::{AccountStatus::Migrated, ProposalStatus};

use crate::{
    common::{
        fake::FakeSolana,
        fixtures::{
            PROGRAM_ID, attestation, backup, bytes, governance, key, multisig, program, proposal,
            record, record_update,
        },
    },
    on_both_stores,
};

async fn filled(store: &Arc<dyn Store>) -> FakeSolana {
    let fake = FakeSolana::start().await;
    fake.set(key(40), bytes(&multisig()));
    fake.set(key(41), bytes(&program(1)));
    fake.set(key(60), bytes(&proposal(ProposalStatus::Active)));
    fake.set(key(61), bytes(&attestation()));
    fake.set(key(62), bytes(&governance(ProposalStatus::Active)));
    fake.set(key(63), bytes(&backup(9)));
    for n in 1..=5 {
        fake.set(key(n), bytes(&record(n, Migrated)));
    }
    backfill_once(fake.config(), Arc::clone(store)).await.unwrap();
    fake
}

on_both_stores! {
    async fn an_equal_mirror_verifies(place) {
        let store = place.open().await;
        let fake = filled(&store).await;
        let report = verify(&fake.config(), store.as_ref()).await.unwrap();
        assert_eq!((report.compared, report.equal, report.differences), (11, 11, vec![]));
    }

    async fn every_kind_of_difference_is_named(place) {
        let store = place.open().await;
        let fake = filled(&store).await;
        fake.close_account(&key(1));
        fake.set(key(6), bytes(&record(6, Migrated)));
        let mut other = proposal(ProposalStatus::Timelocked);
        other.terms.upgrade.sha256 = [99; 32];
        other.ballot.votes.clear();
        fake.set(key(60), bytes(&other));
        let mut change = governance(ProposalStatus::Rejected);
        change.terms.note = "shorter".into();
        fake.set(key(62), bytes(&change));
        let mut kept = backup(9);
        kept.proposal = key(64);
        fake.set(key(63), bytes(&kept));
        place.sql("UPDATE progress SET migrated = 4").await.unwrap();
        let report = verify(&fake.config(), store.as_ref()).await.unwrap();
        assert_eq!((report.compared, report.equal), (12, 7));
        let said = |pubkey, field: &str| {
            let found = report.differences.iter().find(|d| d.pubkey == pubkey && d.field == field);
            let found = found.unwrap_or_else(|| panic!("{field}: {:?}", report.differences));
            (found.mirror.clone(), found.chain.clone())
        };
        assert_eq!(said(key(1), "account").1, "missing");
        assert_eq!(said(key(6), "account").0, "missing");
        assert_eq!(said(key(60), "status"), ("Active".into(), "Timelocked".into()));
        assert_eq!(said(key(60), "terms.upgrade.sha256").1, "63".repeat(32));
        assert_eq!(said(key(60), "ballot.votes.0.choice"), ("Approve".into(), "missing".into()));
        assert_eq!(said(key(62), "status"), ("Active".into(), "Rejected".into()));
        assert_eq!(said(key(62), "terms.note"), ("longer".into(), "shorter".into()));
        assert_eq!(said(key(63), "proposal").1, key(64).to_string());
        let counter = format!("progress.{},{}.migrated", key(50), key(60));
        let (counter, _) = said(PROGRAM_ID, &counter);
        assert!(counter.contains("says 4, but there are 5 rows"), "{counter}");
    }

    async fn a_row_changed_by_hand_is_found(place) {
        let store = place.open().await;
        let fake = filled(&store).await;
        let mut forged = record_update(2, Migrated, 0, 0);
        forged.raw[100] ^= 1;
        let hex: String = forged.raw.iter().map(|b| format!("{b:02x}")).collect();
        let literal = if place.is_postgres() { format!("'\\x{hex}'") } else { format!("x'{hex}'") };
        let keys: String = "02".repeat(32);
        let row = if place.is_postgres() { format!("'\\x{keys}'") } else { format!("x'{keys}'") };
        place.sql(&format!("UPDATE accounts SET raw = {literal} WHERE pubkey = {row}")).await.unwrap();
        let report = verify(&fake.config(), store.as_ref()).await.unwrap();
        assert_eq!((report.compared, report.equal, report.differences.len()), (11, 10, 1));
        assert_eq!(report.differences[0].pubkey, key(2));
    }

    async fn unlisted_differences_are_counted(place) {
        let store = place.open().await;
        let fake = FakeSolana::start().await;
        for n in 1..=130 {
            fake.set(key(n), bytes(&record(n, Migrated)));
        }
        backfill_once(fake.config(), Arc::clone(&store)).await.unwrap();
        for n in 1..=110 {
            fake.close_account(&key(n));
        }
        let report = verify(&fake.config(), store.as_ref()).await.unwrap();
        assert_eq!((report.compared, report.equal), (130, 20));
        assert_eq!((report.differences.len(), report.unlisted), (100, 10));
    }
}
