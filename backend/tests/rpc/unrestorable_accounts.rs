//! Accounts that a rollback cannot restore are named in its preflight.
use anchor_lang::AccountSerialize;
use backend::{BackendError, Operation, Preflight, Verb, Verdict, accounts};
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

fn record(account: Pubkey, proposal: Pubkey, status: AccountStatus) -> Vec<u8> {
    let mut record = AccountVersion::new(PROGRAM, account, 2, 255, PROGRAM);
    (record.status, record.proposal) = (status, proposal);
    let mut bytes = vec![];
    record.try_serialize(&mut bytes).unwrap();
    bytes
}

fn warnings(shown: &Preflight) -> String {
    let warned = shown.checks.iter().filter(|c| c.verdict == Verdict::Warn);
    warned.map(|c| c.sentence.clone()).collect::<Vec<_>>().join(" | ")
}

#[tokio::test]
async fn only_accounts_that_this_proposal_did_not_migrate_are_unrestorable() {
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
    let [old, migrated, verified, earlier, anew, created] = [100, 101, 102, 103, 104, 105].map(key);
    chain.put(old, PROGRAM, account(1));
    for at in [migrated, verified, earlier, anew, created] {
        chain.put(at, PROGRAM, account(2));
    }
    for (at, proposal, status) in [
        (migrated, chain.proposal, AccountStatus::Migrated),
        (verified, chain.proposal, AccountStatus::Verified),
        (earlier, key(99), AccountStatus::Migrated),
        // Closed by its owner, recorded as closed, and created again at the same address.
        (anew, chain.proposal, AccountStatus::Closed),
    ] {
        let data = record(at, proposal, status);
        chain.put(seeds::account_version(&PROGRAM, &at).0, upgrade_manager::ID, data);
    }
    let operation = Operation { verb: Verb::RollBack { give_up: false }, proposal: chain.proposal };
    let said = warnings(&chain.backend.prepare(operation).await.unwrap());
    assert!(said.contains("3 accounts were made on the new layout"), "{said}");
    for at in [earlier, anew, created] {
        assert!(said.contains(&at.to_string()), "{said}");
    }
    for at in [old, migrated, verified] {
        assert!(!said.contains(&at.to_string()), "{said}");
    }
}

#[tokio::test]
async fn a_record_at_another_address_than_its_own_stops_the_scan() {
    let chain = FakeChain::start().await;
    let (account, at) = (Pubkey::new_from_array([100; 32]), Pubkey::new_from_array([101; 32]));
    let own = seeds::account_version(&PROGRAM, &account).0;
    chain.put(own, upgrade_manager::ID, record(account, chain.proposal, AccountStatus::Migrated));
    let client = chain.backend.chain();
    assert_eq!(accounts::records(client, &PROGRAM).await.unwrap().len(), 1);
    chain.put(at, upgrade_manager::ID, record(account, chain.proposal, AccountStatus::Migrated));
    let error = accounts::records(client, &PROGRAM).await.unwrap_err();
    assert!(matches!(error, BackendError::Misplaced { .. }), "{error}");
    for key in [at, own] {
        assert!(error.to_string().contains(&key.to_string()), "{error}");
    }
}
