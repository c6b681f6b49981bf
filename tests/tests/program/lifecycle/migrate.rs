//! Which accounts a migration may change, and who pays for it.
use demo_vault::{
    client::{deposit_ix, open_ix, vault_address, withdraw_ix},
    v1, v2,
};
use e2e::{
    keys::{address, key},
    world::{APPROVERS, Stage, VAULTS, World},
};
use solana_account::Account;
use solana_pubkey::Pubkey;
use upgrade_manager::{error::ManagerError, seeds, state::ProposalStatus};

/// Accounts of `migrate_accounts` and of `verify_accounts` in front of the batch.
const MIGRATE_HEAD: usize = 10;
const VERIFY_HEAD: usize = 4;

#[track_caller]
fn refuse_migration(w: &mut World, error: ManagerError, accounts: &[Pubkey]) {
    let migrate = w.migrate_ix(accounts);
    w.chain.refuse(error, &[migrate], &[&key("cranker")]);
}

#[test]
fn a_vault_migrates_once() {
    let mut w = World::at(Stage::Migrated);
    let (vault, before) = (w.vaults[2], w.snapshot());
    refuse_migration(&mut w, ManagerError::AlreadyMigrated, &[vault]);
    w.verify_all();
    refuse_migration(&mut w, ManagerError::AlreadyMigrated, &[vault]);
    assert_eq!(w.snapshot(), before);
    assert_eq!(w.state().counters.verified, VAULTS);
}

#[test]
fn the_payer_of_a_migration_pays_exactly_for_growth_and_records() {
    let mut w = World::at(Stage::Executed);
    let cranker = address("cranker");
    let (gift, vault) = (1_234_567, w.vaults[0]);
    w.chain.fund(&vault, gift);
    let (before, lamports_before) = (w.snapshot(), w.chain.lamports(&cranker));
    w.migrate_all();
    let growth = w.chain.rent(v2::LEN) - w.chain.rent(v1::LEN);
    for vault in &w.vaults {
        assert_eq!(w.chain.lamports(vault), before[vault].lamports + growth);
        let record = w.record(vault);
        assert_eq!((record.rent_paid, record.rent_payer), (growth, cranker));
    }
    let record = seeds::account_version(&demo_vault::ID, &vault).0;
    let cost = (growth + w.chain.lamports(&record)) * u64::from(VAULTS);
    assert_eq!(lamports_before - w.chain.lamports(&cranker), cost);
}

#[test]
fn a_gift_to_a_vault_before_its_migration_does_not_stop_its_restore() {
    let mut w = World::at(Stage::Executed);
    for vault in w.vaults.clone() {
        w.chain.fund(&vault, 153_120);
    }
    w.migrate_all();
    w.vote_rollback(&APPROVERS, false);
    w.restore_all();
    for (vault, account) in w.snapshot() {
        assert_eq!(account.data, w.before[&vault].data);
        assert_eq!(account.lamports, w.before[&vault].lamports + 153_120);
    }
}

#[test]
fn accounts_of_others_and_of_other_kinds_do_not_migrate() {
    let mut w = World::at(Stage::Executed);
    let stranger = address("stranger");
    let mut lookalike = w.before[&w.vaults[0]].clone();
    lookalike.owner = stranger;
    w.chain.plant(&address("lookalike"), lookalike.clone());
    let own = |data: Vec<u8>| Account { data, owner: demo_vault::ID, ..lookalike.clone() };
    let mut other_kind = lookalike.data.clone();
    other_kind[0] ^= 1;
    w.chain.plant(&address("other-kind"), own(other_kind));
    let mut other_version = lookalike.data.clone();
    other_version[8] = 3;
    w.chain.plant(&address("other-version"), own(other_version));
    let mut longer = lookalike.data.clone();
    longer.push(0);
    w.chain.plant(&address("longer"), own(longer));
    w.chain.plant(&address("shorter"), own(lookalike.data[..9].to_vec()));
    for name in ["lookalike", "other-kind", "other-version", "longer", "shorter", "stranger"] {
        println!("{name}");
        refuse_migration(&mut w, ManagerError::NotEligible, &[address(name)]);
    }
    let (owner, who) = (key("owner"), address("owner"));
    w.chain.ok(&[open_ix(&who, 90)], &[&owner]);
    refuse_migration(&mut w, ManagerError::NotEligible, &[vault_address(&who, 90)]);
    for own in [w.proposal_address(), w.multisig()] {
        refuse_migration(&mut w, ManagerError::NotEligible, &[own]);
    }
    assert_eq!(w.proposal().status, ProposalStatus::Executed);
}

#[test]
fn one_bad_account_stops_its_whole_batch() {
    let mut w = World::at(Stage::Executed);
    let (owner, who) = (key("owner"), address("owner"));
    w.chain.ok(&[open_ix(&who, 90)], &[&owner]);
    let mut batch = w.vaults.clone();
    batch.push(vault_address(&who, 90));
    batch.sort();
    let before = w.snapshot();
    refuse_migration(&mut w, ManagerError::NotEligible, &batch);
    assert_eq!(w.snapshot(), before);
    assert_eq!(w.state().counters.migrated, 0);
}

#[test]
fn a_record_of_another_account_is_not_taken() {
    let mut w = World::at(Stage::Executed);
    let (a, b) = (w.vaults[0], w.vaults[1]);
    let mut crossed = w.migrate_ix(&[a]);
    let of_b = seeds::account_version(&demo_vault::ID, &b).0;
    crossed.accounts[MIGRATE_HEAD + 1].pubkey = of_b;
    w.chain.refuse(ManagerError::WrongAccount, &[crossed.clone()], &[&key("cranker")]);
    let migrate_b = w.migrate_ix(&[b]);
    w.chain.ok(&[migrate_b], &[&key("cranker")]);
    w.chain.refuse(ManagerError::WrongAccount, &[crossed], &[&key("cranker")]);
    let mut verify = w.verify_ix(&[a]);
    verify.accounts[VERIFY_HEAD + 1].pubkey = of_b;
    w.chain.refuse(ManagerError::WrongAccount, &[verify], &[]);
    let mut record = w.migrate_ix(&[a]);
    record.accounts[MIGRATE_HEAD + 1].pubkey = w.proposal_address();
    assert!(w.chain.send(&[record], &[&key("cranker")]).is_err());
}

/// A world in which the owner closed one vault after planning; its address.
#[test]
fn a_vault_keeps_its_balance_through_its_migration() {
    let mut w = World::at(Stage::Executed);
    let (owner, who) = (key("owner"), address("owner"));
    let balance = |w: &World, i| w.chain.read::<v2::Vault>(&vault_address(&who, i)).balance;
    w.migrate_all();
    let full = balance(&w, 5);
    w.chain.ok(&[withdraw_ix(&who, 5, full)], &[&owner]);
    assert_eq!(w.chain.lamports(&vault_address(&who, 5)), w.chain.rent(v2::LEN));
    w.chain.ok(&[deposit_ix(&who, 5, 3)], &[&owner]);
    assert_eq!(balance(&w, 5), 3);
}
