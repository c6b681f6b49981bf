//! Migration on first use: a user's transaction migrates the user's vault in front of its own
//! instructions. The wallet needs no role.
use backend::{
    chain::{MAX_TRANSACTION_LEN, MAX_UNITS, transaction_size, with_budget},
    instructions::{self as ix, Migrate},
};
use demo_vault::{client, error::VaultError, v2};
use e2e::{
    keys::{address, key},
    world::{SOL, Stage, World},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use upgrade_manager::{
    error::ManagerError,
    state::{AccountStatus, PAUSE_SECONDS},
};

/// The owner's vault 3, which holds three SOL.
const INDEX: u32 = 3;

fn vault() -> Pubkey {
    client::vault_address(&address("owner"), INDEX)
}

/// The migration of that vault alone, paid by `payer`.
fn migrate(w: &World, payer: &str) -> Instruction {
    ix::migrate_accounts(&address(payer), &w.proposal().terms, &[Migrate::plain(vault())])
}

fn withdraw(lamports: u64) -> Instruction {
    client::withdraw_ix(&address("owner"), INDEX, lamports)
}

#[test]
fn a_withdrawal_migrates_the_users_vault_in_the_same_transaction() {
    let mut w = World::at(Stage::Executed);
    let owner = key("owner");
    w.chain.refuse(VaultError::NeedsMigration, &[withdraw(SOL)], &[&owner]);

    let both = [migrate(&w, "owner"), withdraw(SOL)];
    let size = transaction_size(&with_budget(&both, MAX_UNITS, 1), &address("owner"));
    assert!(size <= MAX_TRANSACTION_LEN, "{size} bytes are more than a packet holds");
    let before = w.chain.lamports(&address("owner"));
    let meta = w.chain.ok(&both, &[&owner]);
    println!("units migrate_accounts and withdraw: {}", meta.compute_units_consumed);

    let held: v2::Vault = w.chain.read(&vault());
    assert_eq!((held.owner, held.balance), (address("owner"), 2 * SOL));
    let (counters, others) = (w.state().counters, w.vaults.len() as u32 - 1);
    assert_eq!((counters.migrated, counters.total), (1, others + 1));
    assert_eq!(w.record(&vault()).status, AccountStatus::Migrated);
    // The withdrawn lamports, less the rent of the longer vault and of its record.
    let rents = before + SOL - w.chain.lamports(&address("owner"));
    assert!((1..SOL / 100).contains(&rents), "{rents} lamports of rent");

    // The vault works as before, and the same transaction again is refused as a whole.
    w.chain.refuse(ManagerError::AlreadyMigrated, &both, &[&owner]);
    w.chain.ok(&[withdraw(SOL)], &[&owner]);
    let held: v2::Vault = w.chain.read(&vault());
    assert_eq!(held.balance, SOL);
    assert_eq!(w.state().counters.migrated, 1);
}

#[test]
fn the_users_wallet_can_pay_for_the_migration() {
    let mut w = World::at(Stage::Executed);
    let before = w.chain.lamports(&address("owner"));
    let both = [migrate(&w, "stranger"), withdraw(SOL)];
    w.chain.ok(&both, &[&key("stranger"), &key("owner")]);
    assert_eq!(w.chain.lamports(&address("owner")), before + SOL);
}

#[test]
fn a_withdrawal_that_fails_migrates_nothing() {
    let mut w = World::at(Stage::Executed);
    let before = w.chain.account(&vault());
    let both = [migrate(&w, "owner"), withdraw(9 * SOL)];
    w.chain.refuse(VaultError::BalanceTooSmall, &both, &[&key("owner")]);
    assert_eq!(w.chain.account(&vault()), before);
    assert_eq!(w.state().counters.migrated, 0);
}

#[test]
fn the_other_vaults_migrate_after_a_user_migrated_one() {
    let mut w = World::at(Stage::Executed);
    w.chain.ok(&[migrate(&w, "owner"), withdraw(SOL)], &[&key("owner")]);
    let rest: Vec<Pubkey> = w.vaults.iter().copied().filter(|v| *v != vault()).collect();
    let migrate_rest = w.migrate_ix(&rest);
    w.chain.ok(&[migrate_rest], &[&key("cranker")]);
    w.verify_all();
    w.complete();
}

#[test]
fn a_pause_stops_migration_on_use_only_while_it_lasts() {
    let mut w = World::at(Stage::Executed);
    let pause = ix::pause(&address("guardian"), &w.multisig());
    w.run("pause", pause, &[&key("guardian")]);
    let both = [migrate(&w, "owner"), withdraw(SOL)];
    w.chain.refuse(ManagerError::Paused, &both, &[&key("owner")]);
    w.chain.refuse(VaultError::NeedsMigration, &[withdraw(SOL)], &[&key("owner")]);
    w.chain.pass(PAUSE_SECONDS - 1);
    w.chain.refuse(ManagerError::Paused, &both, &[&key("owner")]);
    w.chain.pass(1);
    w.chain.ok(&both, &[&key("owner")]);
    let held: v2::Vault = w.chain.read(&vault());
    assert_eq!(held.balance, 2 * SOL);
}
