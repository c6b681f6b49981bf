//! Backups of critical accounts: made at migration, valid for one rollback, closed to their payer.
//! And account lists that do not match the items to restore.
use demo_vault::client;
use e2e::{
    elf,
    keys::{address, key},
    world::{APPROVERS, Stage, TIMELOCK, World},
};
use solana_pubkey::Pubkey;
use upgrade_manager::{
    error::ManagerError,
    instructions::RestoreItem,
    seeds,
    state::{AccountBackup, CRITICAL, LenRange, UpgradeProposal},
};

/// A world whose vaults are of a critical type, with the new code in place.
fn critical() -> World {
    let mut w = World::at(Stage::Attested);
    propose(&mut w, "upgrade", "rollback");
    w
}

fn propose(w: &mut World, upgrade: &str, rollback: &str) {
    w.before = w.snapshot();
    w.id = w.config().next_proposal;
    let mut args = w.propose_args();
    args.type_rules[0].flags = CRITICAL;
    let propose = w.propose_with_ix("anna", args, upgrade, rollback);
    w.chain.ok(&[propose], &[&key("anna"), &key("payer")]);
    w.approve_by(&APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    w.execute();
    w.chain.next_slot();
}

fn from_backups(w: &World) -> Vec<(Pubkey, RestoreItem)> {
    w.vaults.iter().map(|v| (*v, RestoreItem::Backup)).collect()
}

fn backup_address(vault: &Pubkey) -> Pubkey {
    seeds::backup(&demo_vault::ID, vault).0
}

#[test]
fn a_critical_account_comes_back_from_the_chain_alone_and_its_rent_to_who_paid() {
    let mut w = critical();
    w.migrate_all();
    let one = w.vaults[0];
    assert_eq!(w.backup(&one).bytes, w.before[&one].data);
    let close = w.close_backup_ix("stranger", &one);
    w.chain.refuse(ManagerError::NotEnded, std::slice::from_ref(&close), &[&key("stranger")]);
    w.vote_rollback(&APPROVERS, false);
    let restore = w.restore_ix("dan", &from_backups(&w));
    w.chain.ok(&[restore], &[&key("dan"), &key("payer")]);
    assert_eq!(w.snapshot(), w.before);
    let (lamports_before, rent) =
        (w.chain.lamports(&address("cranker")), w.chain.lamports(&backup_address(&one)));
    w.chain.ok(&[close], &[&key("stranger")]);
    assert_eq!(w.chain.lamports(&address("cranker")), lamports_before + rent);
    assert!(w.chain.account(&backup_address(&one)).is_none());
}

#[test]
fn a_critical_account_does_not_migrate_without_room_for_its_backup() {
    let mut w = critical();
    let one = w.vaults[0];
    let good = w.migrate_ix(&[one]);
    let mut without = good.clone();
    without.accounts.pop();
    w.chain.refuse(ManagerError::BackupMissing, &[without], &[&key("cranker")]);
    w.chain.ok(&[good], &[&key("cranker")]);
}

#[test]
fn an_older_backup_is_closed_before_the_next_one_is_made() {
    let mut w = critical();
    w.migrate_all();
    w.vote_rollback(&APPROVERS, false);
    let restore = w.restore_ix("dan", &from_backups(&w));
    w.chain.ok(&[restore], &[&key("dan"), &key("payer")]);
    w.roll_back();
    w.chain.next_slot();
    w.stage_upgrade("upgrade-2", elf::v2());
    w.stage_rollback("rollback-2", elf::v1());
    propose(&mut w, "upgrade-2", "rollback-2");
    let one = w.vaults[0];
    let migrate = w.migrate_ix(&[one]);
    w.chain.refuse(ManagerError::BackupExists, std::slice::from_ref(&migrate), &[&key("cranker")]);
    let close = w.close_backup_ix("stranger", &one);
    w.chain.ok(&[close, migrate], &[&key("stranger"), &key("cranker")]);
}

#[test]
fn only_the_backup_that_this_proposal_made_of_this_account_brings_it_back() {
    let mut w = critical();
    w.migrate_all();
    w.vote_rollback(&APPROVERS, false);
    let (one, other) = (w.vaults[0], w.vaults[1]);
    let good = w.restore_ix("dan", &[(one, RestoreItem::Backup)]);
    let signers = [&key("dan"), &key("payer")];
    let mut missing = good.clone();
    missing.accounts.pop();
    w.chain.refuse(ManagerError::BackupMissing, &[missing], &signers);
    // A vault owned by the target, the backup of another vault, a record.
    for wrong in [other, backup_address(&other), seeds::account_version(&demo_vault::ID, &one).0] {
        let mut crossed = good.clone();
        crossed.accounts.last_mut().unwrap().pubkey = wrong;
        w.chain.refuse(ManagerError::WrongAccount, &[crossed], &signers);
    }
    let changes: [fn(&mut AccountBackup); 3] = [
        |backup| backup.program = Pubkey::new_from_array([9; 32]),
        |backup| backup.account = Pubkey::new_from_array([9; 32]),
        |backup| backup.proposal = Pubkey::new_from_array([9; 32]),
    ];
    for change in changes {
        let mut w = w.clone();
        w.chain.rewrite::<AccountBackup>(&backup_address(&one), change);
        w.chain.refuse(ManagerError::WrongAccount, std::slice::from_ref(&good), &signers);
    }
    w.chain.ok(&[good], &signers);
}

#[test]
fn a_list_with_more_accounts_than_items_restores_nothing() {
    let mut w = World::at(Stage::Migrated);
    w.vote_rollback(&APPROVERS, false);
    let two = w.vaults[..2].to_vec();
    let mut long = w.restore_ix("dan", &w.old_bytes(&two));
    long.data = w.restore_ix("dan", &w.old_bytes(&two[..1])).data;
    let signers = [&key("dan"), &key("payer")];
    w.chain.refuse(ManagerError::BadBatch, &[long], &signers);
    assert_eq!(w.state().counters.restored, 0);
    let good = w.restore_ix("dan", &w.old_bytes(&two));
    w.chain.ok(&[good], &signers);
}

#[test]
fn an_account_that_does_not_hold_the_new_version_is_not_restored() {
    let mut w = World::at(Stage::Migrated);
    w.vote_rollback(&APPROVERS, false);
    let one = w.vaults[0];
    let migrated = w.chain.account(&one).unwrap();
    // The target would succeed, because this account already has the old layout.
    w.chain.plant(&one, w.before[&one].clone());
    let restore = w.restore_ix("dan", &[(one, RestoreItem::Down)]);
    let signers = [&key("dan"), &key("payer")];
    w.chain.refuse(ManagerError::NotEligible, &[restore], &signers);
    w.chain.plant(&one, migrated);
    let good = w.restore_ix("dan", &w.old_bytes(&[one]));
    w.chain.ok(&[good], &signers);
}

#[test]
fn an_account_that_users_changed_comes_back_as_its_type_rule_says() {
    let mut w = World::at(Stage::Migrated);
    let (one, proposal) = (w.vaults[0], w.proposal_address());
    let deposit = client::deposit_ix(&address("owner"), w.index_of(&one), 1);
    w.chain.ok(&[deposit], &[&key("owner")]);
    w.vote_rollback(&APPROVERS, false);
    let rule = w.proposal().terms.type_rules[0];
    let longer = LenRange { min: rule.old_len.min + 1, max: rule.old_len.max + 1 };
    let restore = w.restore_ix("dan", &[(one, RestoreItem::Down)]);
    let signers = [&key("dan"), &key("payer")];
    w.chain.rewrite::<UpgradeProposal>(&proposal, |p| p.terms.type_rules[0].old_len = longer);
    w.chain.refuse(ManagerError::TargetBroke, std::slice::from_ref(&restore), &signers);
    w.chain.rewrite::<UpgradeProposal>(&proposal, |p| p.terms.type_rules[0] = rule);
    w.chain.ok(&[restore], &signers);
}
