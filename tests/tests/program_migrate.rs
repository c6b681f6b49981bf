//! What migration may touch, and who pays for it.
use demo_vault::{
    client::{deposit_ix, open_ix, vault_address, withdraw_ix},
    v1, v2,
};
use e2e::{
    keys::{address, key},
    world::{DECIDING, Stage, VAULTS, World},
};
use solana_account::Account;
use solana_instruction::AccountMeta;
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
fn nothing_migrates_before_execution_or_in_its_slot() {
    let mut w = World::at(Stage::Ready);
    let vaults = w.vaults.clone();
    refuse_migration(&mut w, ManagerError::NotExecuted, &vaults);
    w.execute();
    refuse_migration(&mut w, ManagerError::SameSlot, &vaults);
    w.chain.pass(0);
    refuse_migration(&mut w, ManagerError::SameSlot, &vaults);
    w.chain.next_slot();
    w.migrate_all();
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
fn whoever_migrates_pays_exactly_for_growth_and_records() {
    let mut w = World::at(Stage::Executed);
    let cranker = address("cranker");
    let (gift, vault) = (1_234_567, w.vaults[0]);
    w.chain.fund(&vault, gift);
    let (before, purse) = (w.snapshot(), w.chain.lamports(&cranker));
    w.migrate_all();
    let growth = w.chain.rent(v2::LEN) - w.chain.rent(v1::LEN);
    for vault in &w.vaults {
        assert_eq!(w.chain.lamports(vault), before[vault].lamports + growth);
        let record = w.record(vault);
        assert_eq!((record.rent_paid, record.rent_payer), (growth, cranker));
    }
    let record = seeds::account_version(&demo_vault::ID, &vault).0;
    let cost = (growth + w.chain.lamports(&record)) * u64::from(VAULTS);
    assert_eq!(purse - w.chain.lamports(&cranker), cost);
}

#[test]
fn a_gift_to_a_vault_before_its_migration_does_not_stop_its_restore() {
    let mut w = World::at(Stage::Executed);
    for vault in w.vaults.clone() {
        w.chain.fund(&vault, 153_120);
    }
    w.migrate_all();
    w.vote_rollback(&DECIDING, false);
    w.restore_all();
    for (vault, account) in w.snapshot() {
        assert_eq!(account.data, w.before[&vault].data);
        assert_eq!(account.lamports, w.before[&vault].lamports + 153_120);
    }
}

#[test]
fn a_squatted_record_address_does_not_stop_a_migration() {
    let mut w = World::at(Stage::Executed);
    for (i, vault) in w.vaults.clone().iter().enumerate() {
        let record = seeds::account_version(&demo_vault::ID, vault).0;
        w.chain.fund(&record, 1_000_000 * (i as u64 * 4 + 1));
    }
    w.migrate_all();
    assert_eq!(w.state().counters.migrated, VAULTS);
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
fn a_batch_is_whole_ascending_and_without_repetition() {
    let mut w = World::at(Stage::Executed);
    let vaults = w.vaults.clone();
    let reversed: Vec<_> = vaults.iter().rev().copied().collect();
    for batch in
        [vec![], reversed, vec![vaults[0], vaults[0]], vec![vaults[0], vaults[2], vaults[1]]]
    {
        refuse_migration(&mut w, ManagerError::BadBatch, &batch);
    }
    let mut half = w.migrate_ix(&vaults);
    half.accounts.pop();
    w.chain.refuse(ManagerError::BadBatch, &[half], &[&key("cranker")]);
    let mut long = w.migrate_ix(&vaults);
    long.accounts.push(AccountMeta::new(vaults[0], false));
    w.chain.refuse(ManagerError::BadBatch, &[long], &[&key("cranker")]);

    w.migrate_all();
    let reversed: Vec<_> = vaults.iter().rev().copied().collect();
    for batch in [vec![], reversed, vec![vaults[0], vaults[0]]] {
        let verify = w.verify_ix(&batch);
        w.chain.refuse(ManagerError::BadBatch, &[verify], &[]);
    }
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

#[test]
fn the_target_is_called_only_as_itself_and_only_with_the_migrator() {
    let mut w = World::at(Stage::Executed);
    let vaults = w.vaults.clone();
    let good = w.migrate_ix(&vaults);
    let swaps = [
        (demo_vault::ID, upgrade_manager::ID, u32::from(ManagerError::WrongAccount)),
        (
            seeds::migrator(&demo_vault::ID).0,
            seeds::authority(&demo_vault::ID).0,
            ManagerError::WrongAccount.into(),
        ),
        (
            w.state().program_data,
            backend::instructions::program_data_address(&upgrade_manager::ID),
            ManagerError::WrongAccount.into(),
        ),
    ];
    for (from, to, code) in swaps {
        let mut ix = good.clone();
        let at = ix.accounts.iter().position(|m| m.pubkey == from).unwrap();
        ix.accounts[at].pubkey = to;
        w.chain.refuse(code, &[ix], &[&key("cranker")]);
    }
}

#[test]
fn a_program_the_manager_no_longer_holds_is_not_called() {
    let mut w = World::at(Stage::Executed);
    let (vaults, dev) = (w.vaults.clone(), address("dev").to_bytes());
    let data = w.state().program_data;
    w.chain.tamper(&data, |data| data[13..45].copy_from_slice(&dev));
    refuse_migration(&mut w, ManagerError::AuthorityLost, &vaults);
}

/// A world in which the owner closed one vault after planning; its address.
#[test]
fn a_vault_in_use_keeps_its_money_through_its_migration() {
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
