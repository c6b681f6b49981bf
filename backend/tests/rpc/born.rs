//! Accounts that a rollback would leave behind are named before it.
use anchor_lang::AccountSerialize;
use backend::{BackendError, Operation, Preflight, Verb, Verdict, lookup};
use solana_pubkey::Pubkey;
use upgrade_manager::{
    seeds,
    state::{AccountStatus, AccountVersion, LenRange, TypeRule},
};

use crate::fake_chain::FakeChain;

const PROGRAM: Pubkey = Pubkey::new_from_array([42; 32]);

fn account(version: u8) -> Vec<u8> {
    let mut data = vec![9; 8];
    data.extend([version, 0, 1, 1]);
    data
}

fn record(account: Pubkey, proposal: Pubkey) -> Vec<u8> {
    let mut record = AccountVersion::new(PROGRAM, account, 2, 255, PROGRAM);
    (record.status, record.proposal) = (AccountStatus::Migrated, proposal);
    let mut bytes = vec![];
    record.try_serialize(&mut bytes).unwrap();
    bytes
}

fn warnings(shown: &Preflight) -> String {
    let warned = shown.checks.iter().filter(|c| c.verdict == Verdict::Warn);
    warned.map(|c| c.sentence.clone()).collect::<Vec<_>>().join(" | ")
}

#[tokio::test]
async fn only_an_account_without_a_record_of_this_proposal_is_left_behind() {
    let chain = FakeChain::start().await;
    let lens = LenRange { min: 10, max: 20 };
    chain.change(|p, _| {
        p.terms.type_rules = vec![TypeRule {
            discriminator: [9; 8],
            version_offset: 8,
            version_width: 2,
            old_len: lens,
            new_len: lens,
            flags: 0,
        }];
        p.digest = p.terms.digest().unwrap();
    });
    let key = |i: u8| Pubkey::new_from_array([i; 32]);
    let [old, migrated, earlier, born] = [key(100), key(101), key(102), key(103)];
    chain.put(old, PROGRAM, account(1));
    for at in [migrated, earlier, born] {
        chain.put(at, PROGRAM, account(2));
    }
    let manager = upgrade_manager::ID;
    for (at, proposal) in [(migrated, chain.proposal), (earlier, key(99))] {
        chain.put(seeds::account_version(&PROGRAM, &at).0, manager, record(at, proposal));
    }
    let operation = Operation { verb: Verb::RollBack { give_up: false }, proposal: chain.proposal };
    let said = warnings(&chain.backend.prepare(operation).await.unwrap());
    assert!(said.contains("2 accounts were made on the new layout"), "{said}");
    for (at, named) in [(old, false), (migrated, false), (earlier, true), (born, true)] {
        assert_eq!(said.contains(&at.to_string()), named, "{said}");
    }
}

#[tokio::test]
async fn a_record_at_another_address_than_its_own_stops_the_scan() {
    let chain = FakeChain::start().await;
    let (account, at) = (Pubkey::new_from_array([100; 32]), Pubkey::new_from_array([101; 32]));
    let own = seeds::account_version(&PROGRAM, &account).0;
    chain.put(own, upgrade_manager::ID, record(account, chain.proposal));
    let gateway = chain.backend.gateway();
    assert_eq!(lookup::records(gateway, &PROGRAM).await.unwrap().len(), 1);
    chain.put(at, upgrade_manager::ID, record(account, chain.proposal));
    let error = lookup::records(gateway, &PROGRAM).await.unwrap_err();
    assert!(matches!(error, BackendError::Misplaced { .. }), "{error}");
    for key in [at, own] {
        assert!(error.to_string().contains(&key.to_string()), "{error}");
    }
}
