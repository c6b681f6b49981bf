//! When a migration is complete: every account is verified, closed with proof, or quarantined.
use demo_vault::{
    client::{close_ix, set_limit_ix},
    v1,
};
use e2e::{
    keys::{address, key},
    world::{APPROVERS, SOL, Stage, VAULTS, World},
};
use solana_pubkey::Pubkey;
use upgrade_manager::{
    error::ManagerError,
    state::{AccountStatus, Phase},
};

#[test]
fn verification_marks_what_users_changed_and_refuses_what_did_not_migrate() {
    let mut w = World::at(Stage::Executed);
    let vaults = w.vaults.clone();
    let none = w.verify_ix(&vaults[..1]);
    w.chain.refuse(ManagerError::WrongAccount, &[none], &[]);
    let migrate = w.migrate_ix(&vaults[..4]);
    w.chain.ok(&[migrate], &[&key("cranker")]);
    let (owner, index) = (key("owner"), w.index_of(&vaults[1]));
    w.chain.ok(&[set_limit_ix(&address("owner"), index, 9)], &[&owner]);
    let verify = w.verify_ix(&vaults[..4]);
    w.run("verify_accounts (4)", verify.clone(), &[]);
    for (i, vault) in vaults[..4].iter().enumerate() {
        let record = w.record(vault);
        assert_eq!((record.status, record.touched), (AccountStatus::Verified, i == 1));
    }
    w.chain.refuse(ManagerError::RecordStatus, &[verify], &[]);
    assert_eq!(w.state().counters.verified, 4);
}

#[test]
fn a_migrated_vault_that_lost_its_layout_is_not_verified() {
    let mut w = World::at(Stage::Migrated);
    let vault = w.vaults[0];
    w.chain.tamper(&vault, |data| data.truncate(v1::LEN));
    let verify = w.verify_ix(&[vault]);
    w.chain.refuse(ManagerError::TargetBroke, &[verify], &[]);
}

#[test]
fn completion_waits_for_every_account_of_the_manifest() {
    let mut w = World::at(Stage::Executed);
    let (vaults, complete) = (w.vaults.clone(), w.complete_ix("dan"));
    w.chain.refuse(ManagerError::NotComplete, &[complete.clone()], &[&key("dan")]);
    w.migrate_all();
    w.chain.refuse(ManagerError::NotComplete, &[complete.clone()], &[&key("dan")]);
    let verify = w.verify_ix(&vaults[..5]);
    w.chain.ok(&[verify], &[]);
    w.chain.refuse(ManagerError::NotComplete, &[complete.clone()], &[&key("dan")]);
    let verify = w.verify_ix(&vaults[5..]);
    w.chain.ok(&[verify], &[]);
    let stranger = w.complete_ix("stranger");
    w.chain.refuse(ManagerError::NotAMember, &[stranger], &[&key("stranger")]);
    w.chain.ok(&[complete.clone()], &[&key("dan")]);
    w.chain.refuse(ManagerError::NotExecuted, &[complete], &[&key("dan")]);
}

fn with_closed_vault() -> (World, Pubkey) {
    let mut w = World::at(Stage::Ready);
    let vault = w.vaults[3];
    let index = w.index_of(&vault);
    w.chain.ok(&[close_ix(&address("owner"), index)], &[&key("owner")]);
    w.execute();
    w.chain.next_slot();
    (w, vault)
}

#[test]
fn a_closed_vault_refilled_with_lamports_is_still_closed() {
    let (mut w, gone) = with_closed_vault();
    w.chain.fund(&gone, SOL);
    let mark = w.mark_closed_ix(&gone);
    w.chain.ok(&[mark], &[&key("cranker")]);
}

#[test]
fn a_vault_closed_after_its_migration_does_not_block_the_rollback() {
    let mut w = World::at(Stage::Migrated);
    let (vault, owner) = (w.vaults[1], key("owner"));
    let index = w.index_of(&vault);
    w.chain.ok(&[close_ix(&address("owner"), index)], &[&owner]);
    let aside = w.quarantine_ix("dan", &vault);
    w.chain.refuse(ManagerError::RecordStatus, &[aside], &[&key("dan"), &key("payer")]);
    w.verify_all();
    assert_eq!(w.record(&vault).status, AccountStatus::Closed);
    let counters = w.state().counters;
    assert_eq!((counters.verified, counters.closed, counters.migrated), (VAULTS - 1, 1, 0));
    w.complete();
}

#[test]
fn only_an_executor_sets_an_account_aside_and_only_one_that_is_stuck() {
    let mut w = World::at(Stage::Executed);
    let vaults = w.vaults.clone();
    let payer = key("payer");
    let outside = w.quarantine_ix("stranger", &vaults[0]);
    w.chain.refuse(ManagerError::NotAMember, &[outside], &[&key("stranger"), &payer]);
    let foreign = w.quarantine_ix("dan", &w.multisig());
    w.chain.refuse(ManagerError::NotEligible, &[foreign], &[&key("dan"), &payer]);
    let aside = w.quarantine_ix("dan", &vaults[0]);
    w.run("quarantine", aside.clone(), &[&key("dan"), &payer]);
    w.chain.refuse(ManagerError::RecordStatus, &[aside], &[&key("dan"), &payer]);
    let migrate = w.migrate_ix(&vaults);
    w.chain.refuse(ManagerError::RecordStatus, &[migrate], &[&key("cranker")]);
    let migrate = w.migrate_ix(&vaults[1..]);
    w.chain.ok(&[migrate], &[&key("cranker")]);
    let sound = w.quarantine_ix("dan", &vaults[1]);
    w.chain.refuse(ManagerError::RecordStatus, &[sound], &[&key("dan"), &payer]);
    let verify = w.verify_ix(&vaults[1..]);
    w.chain.ok(&[verify], &[]);
    w.complete();
    let counters = w.state().counters;
    assert_eq!((counters.quarantined, counters.verified), (1, VAULTS - 1));
}

#[test]
fn nothing_is_proposed_while_a_migration_is_running() {
    let mut w = World::at(Stage::Executed);
    w.stage_upgrade("upgrade-2", e2e::elf::v2());
    w.stage_rollback("rollback-2", e2e::elf::v2());
    let propose =
        |w: &World| w.propose_with_ix("anna", w.propose_args(), "upgrade-2", "rollback-2");
    let (early, signers) = (propose(&w), [&key("anna"), &key("payer")]);
    w.chain.refuse(ManagerError::LiveProposal, &[early], &signers);
    w.migrate_all();
    w.vote_rollback(&APPROVERS, false);
    assert_eq!(w.state().phase, Phase::RollingBack);
    let early = propose(&w);
    w.chain.refuse(ManagerError::LiveProposal, &[early], &signers);
}
