//! Accounts that look right and are not: a forged sysvar, the state of another program, an account
//! that its target no longer owns.
use e2e::{
    attack::swap,
    elf,
    keys::{address, key},
    world::{SOL, Stage, World},
};
use solana_account::Account;
use upgrade_manager::{
    error::ManagerError,
    runtime::nonce,
    seeds,
    state::{AccountVersion, BufferRole, ProgramUpgradeState, UpgradeProposal},
};

#[test]
fn a_vote_reads_the_runtimes_own_list_of_instructions() {
    let mut w = World::at(Stage::Proposed);
    // One instruction without accounts, of a program that is not the system program.
    let mut data = vec![1, 0, 4, 0, 0, 0];
    data.extend([9; 32]);
    data.extend([0, 0]);
    let forged = address("forged-sysvar");
    let owner = address("stranger");
    w.chain.plant(&forged, Account { lamports: SOL, data, owner, ..Account::default() });
    let vote = w.approve_ix("anna");
    let blind = swap(&vote, &nonce::INSTRUCTIONS, &forged);
    w.chain.refuse(ManagerError::WrongProgram, &[blind], &[&key("anna")]);
    w.chain.ok(&[vote], &[&key("anna")]);
}

#[test]
fn a_buffer_is_attested_for_the_program_it_was_frozen_for() {
    let mut w = World::at(Stage::Registered);
    w.upload("upgrade", elf::v2());
    w.freeze("upgrade", BufferRole::Upgrade);
    let own = seeds::program_state(&demo_vault::ID).0;
    let other = address("another-state");
    let account = w.chain.account(&own).unwrap();
    w.chain.plant(&other, account);
    w.chain.rewrite::<ProgramUpgradeState>(&other, |state| state.program = address("another"));
    let attest = w.attest_ix("upgrade");
    let crossed = swap(&attest, &own, &other);
    w.chain.refuse(ManagerError::WrongAccount, &[crossed], &[]);
    w.chain.ok(&[attest], &[]);
}

#[test]
fn an_account_that_its_target_no_longer_owns_is_not_verified() {
    let mut w = World::at(Stage::Migrated);
    let one = w.vaults[0];
    let kept = w.chain.account(&one).unwrap();
    w.chain.plant(&one, Account { owner: address("stranger"), ..kept.clone() });
    let verify = w.verify_ix(&[one]);
    w.chain.refuse(ManagerError::TargetBroke, std::slice::from_ref(&verify), &[]);
    w.chain.plant(&one, kept);
    w.chain.ok(&[verify], &[]);
}

#[test]
fn another_programs_record_of_the_account_does_not_count() {
    let mut w = World::at(Stage::Migrated);
    let one = w.vaults[0];
    let own = seeds::account_version(&demo_vault::ID, &one).0;
    let other = address("another-record");
    let account = w.chain.account(&own).unwrap();
    w.chain.plant(&other, account);
    w.chain.rewrite::<AccountVersion>(&other, |record| record.program = address("another"));
    let verify = w.verify_ix(&[one]);
    let crossed = swap(&verify, &own, &other);
    w.chain.refuse(ManagerError::WrongAccount, &[crossed], &[]);
    w.chain.ok(&[verify], &[]);
}

#[test]
fn the_address_that_signs_for_migrations_is_not_migrated_itself() {
    let mut w = World::at(Stage::Executed);
    let (one, migrator) = (w.vaults[0], seeds::migrator(&demo_vault::ID).0);
    // The target gets this address's signature, so it could assign the account to itself.
    let account = w.chain.account(&one).unwrap();
    w.chain.plant(&migrator, account);
    let migrate = w.migrate_ix(&[migrator]);
    w.chain.refuse(ManagerError::NotEligible, &[migrate], &[&key("cranker")]);
    let good = w.migrate_ix(&[one]);
    w.chain.ok(&[good], &[&key("cranker")]);
}

#[test]
fn a_proposal_of_another_program_or_of_another_multisig_is_not_taken() {
    let changes: [fn(&mut UpgradeProposal); 2] = [
        |proposal| proposal.terms.program = address("another"),
        |proposal| proposal.terms.multisig = address("another"),
    ];
    for change in changes {
        let mut w = World::at(Stage::Migrated);
        let (own, other) = (w.proposal_address(), address("another-proposal"));
        let account = w.chain.account(&own).unwrap();
        w.chain.plant(&other, account);
        w.chain.rewrite::<UpgradeProposal>(&other, change);
        let verify = w.verify_ix(&w.vaults.clone());
        let crossed = swap(&verify, &own, &other);
        w.chain.refuse(ManagerError::WrongAccount, &[crossed], &[]);
        w.chain.ok(&[verify], &[]);
    }
}

#[test]
fn the_upgrade_authority_is_read_from_the_programs_own_program_data() {
    let mut w = World::at(Stage::Executed);
    let (own, other) = (w.state().program_data, address("another-program-data"));
    let account = w.chain.account(&own).unwrap();
    w.chain.plant(&other, account);
    let migrate = w.migrate_ix(&w.vaults.clone());
    let crossed = swap(&migrate, &own, &other);
    w.chain.refuse(ManagerError::WrongAccount, &[crossed], &[&key("cranker")]);
    w.chain.ok(&[migrate], &[&key("cranker")]);
}
