//! Rollback: who approves it, what it may change, and what cannot block it.
use demo_vault::{
    client::{close_ix, deposit_ix, open_ix, set_limit_ix, vault_address},
    v2,
};
use e2e::{
    keys::{address, key},
    world::{APPROVERS, ROLLBACK_WINDOW, SOL, Stage, VAULTS, World},
};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;
use upgrade_manager::{
    error::ManagerError,
    instructions::{ProposeArgs, RestoreItem},
    state::{AccountStatus, Phase, ProposalStatus},
};

/// Anchor's code for a signature that is missing.
const SIGNER_MISSING: u32 = 3010;

/// A migrated world whose members voted for rollback.
fn rolling_back() -> World {
    let mut w = World::at(Stage::Migrated);
    w.vote_rollback(&APPROVERS, false);
    w
}

#[track_caller]
fn refuse_restore(w: &mut World, error: ManagerError, items: &[(Pubkey, RestoreItem)]) {
    let restore = w.restore_ix("dan", items);
    w.chain.refuse(error, &[restore], &[&key("dan"), &key("payer")]);
}

#[test]
fn nobody_votes_to_roll_back_what_was_not_executed() {
    for stage in [Stage::Proposed, Stage::Timelocked, Stage::Ready] {
        let mut w = World::at(stage);
        let vote = w.approve_rollback_ix("anna", false);
        w.chain.refuse(ManagerError::NotExecuted, &[vote], &[&key("anna")]);
    }
}

#[test]
fn a_rollback_needs_three_members_who_saw_the_same_terms() {
    let mut w = World::at(Stage::Migrated);
    let stranger = w.approve_rollback_ix("stranger", false);
    w.chain.refuse(ManagerError::NotAMember, &[stranger], &[&key("stranger")]);
    let mut digest = w.proposal().digest;
    digest[0] ^= 1;
    let (anna, keys) = (address("anna"), w.keys());
    let other = backend::instructions::approve_rollback(&anna, &keys, digest, false);
    w.chain.refuse(ManagerError::DigestMismatch, &[other], &[&key("anna")]);
    w.vote_rollback(&["anna", "ben"], false);
    let again = w.approve_rollback_ix("ben", false);
    w.chain.refuse(ManagerError::AlreadyVoted, &[again], &[&key("ben")]);
    assert_eq!((w.state().phase, w.proposal().rollback_approved_at), (Phase::Migrating, 0));
    let vaults = w.vaults.clone();
    let items = w.old_bytes(&vaults);
    refuse_restore(&mut w, ManagerError::RollbackNotApproved, &items);
    let early = w.rollback_ix("dan");
    w.chain.refuse(ManagerError::RollbackNotApproved, &[early], &[&key("dan")]);
    w.vote_rollback(&["eve"], false);
    assert_eq!(w.state().phase, Phase::RollingBack);
    w.restore_all();
    w.roll_back();
}

#[test]
fn the_rollback_window_ends_the_votes_but_not_an_approved_rollback() {
    let mut w = World::at(Stage::Completed);
    let mut late = w.clone();
    assert_eq!(w.proposal().rollback_until, w.proposal().executed_at + i64::from(ROLLBACK_WINDOW));
    w.chain.pass_until(w.proposal().rollback_until);
    w.vote_rollback(&APPROVERS, false);
    w.chain.pass(30 * 24 * 3600);
    w.restore_all();
    w.roll_back();
    assert_eq!(w.proposal().status, ProposalStatus::RolledBack);

    late.vote_rollback(&["anna", "ben"], false);
    late.chain.pass_until(late.proposal().rollback_until + 1);
    let vote = late.approve_rollback_ix("chloe", false);
    late.chain.refuse(ManagerError::RollbackWindowOver, &[vote], &[&key("chloe")]);
}

#[test]
fn once_a_rollback_is_voted_nothing_migrates_and_nothing_completes() {
    let mut w = World::at(Stage::Executed);
    let vaults = w.vaults.clone();
    let migrate = w.migrate_ix(&vaults[..3]);
    w.chain.ok(&[migrate], &[&key("cranker")]);
    w.vote_rollback(&APPROVERS, false);
    let migrate = w.migrate_ix(&vaults[3..]);
    w.chain.refuse(ManagerError::RollingBack, &[migrate], &[&key("cranker")]);
    let aside = w.quarantine_ix("dan", &vaults[3]);
    w.chain.refuse(ManagerError::RollingBack, &[aside], &[&key("dan"), &key("payer")]);
    let complete = w.complete_ix("dan");
    w.chain.refuse(ManagerError::RollingBack, &[complete], &[&key("dan")]);
    let mark = w.mark_closed_ix(&vaults[3]);
    w.chain.refuse(ManagerError::RollingBack, &[mark], &[&key("cranker")]);
    let restore = w.restore_ix("dan", &w.old_bytes(&vaults[..3]));
    w.chain.ok(&[restore], &[&key("dan"), &key("payer")]);
    w.roll_back();
    assert_eq!(w.snapshot(), w.before, "half a migration is undone too");
}

#[test]
fn the_old_code_does_not_return_while_an_account_needs_the_new() {
    let mut w = rolling_back();
    let vaults = w.vaults.clone();
    let back = w.rollback_ix("dan");
    w.chain.refuse(ManagerError::NotRestored, &[back.clone()], &[&key("dan")]);
    let most = w.restore_ix("dan", &w.old_bytes(&vaults[1..]));
    w.chain.ok(&[most], &[&key("dan"), &key("payer")]);
    w.chain.refuse(ManagerError::NotRestored, &[back], &[&key("dan")]);
}

#[test]
fn accounts_are_given_up_only_when_the_threshold_voted_to_give_up() {
    let mut w = rolling_back();
    let vaults = w.vaults.clone();
    let most = w.restore_ix("dan", &w.old_bytes(&vaults[1..]));
    w.chain.ok(&[most], &[&key("dan"), &key("payer")]);
    let back = w.rollback_ix("dan");
    w.vote_rollback(&["anna", "ben"], true);
    w.chain.refuse(ManagerError::NotRestored, &[back.clone()], &[&key("dan")]);
    let twice = w.approve_rollback_ix("ben", true);
    w.chain.refuse(ManagerError::AlreadyVoted, &[twice], &[&key("ben")]);
    w.vote_rollback(&["eve"], true);
    w.chain.ok(&[back], &[&key("dan")]);
    assert_eq!(w.state().counters.migrated, 1, "the one that was given up");
    assert_eq!(w.chain.read::<v2::Vault>(&vaults[0]).version, 2);
}

#[test]
fn only_an_executor_restores_and_rolls_back() {
    let mut w = rolling_back();
    let vaults = w.vaults.clone();
    let restore = w.restore_ix("stranger", &w.old_bytes(&vaults));
    let signers = [&key("stranger"), &key("payer")];
    w.chain.refuse(ManagerError::NotAMember, &[restore], &signers);
    let mut unsigned = w.restore_ix("dan", &w.old_bytes(&vaults));
    unsigned.accounts[0].is_signer = false;
    w.chain.refuse(SIGNER_MISSING, &[unsigned], &[&key("payer")]);
    w.restore_all();
    let back = w.rollback_ix("stranger");
    w.chain.refuse(ManagerError::NotAMember, &[back], &[&key("stranger")]);
}

#[test]
fn only_the_recorded_bytes_come_back_and_only_into_their_own_account() {
    let mut w = rolling_back();
    let (a, b) = (w.vaults[0], w.vaults[1]);
    let bytes = |w: &World, v| w.before[v].data.clone();
    let (own, others) = (bytes(&w, &a), bytes(&w, &b));
    let mut richer = own.clone();
    richer[49] ^= 1;
    let empty = vec![];
    for wrong in [others, richer, empty, own[..own.len() - 1].to_vec()] {
        refuse_restore(&mut w, ManagerError::WrongBytes, &[(a, RestoreItem::Bytes(wrong))]);
    }
    let items = w.old_bytes(&[a]);
    let restore = w.restore_ix("dan", &items);
    w.run("restore_accounts (1)", restore, &[&key("dan"), &key("payer")]);
    refuse_restore(&mut w, ManagerError::RecordStatus, &items);
}

#[test]
fn old_bytes_do_not_overwrite_a_later_change_by_a_user() {
    let mut w = World::at(Stage::Migrated);
    let owner = key("owner");
    let vault = vault_address(&owner.pubkey(), 2);
    w.chain.ok(&[deposit_ix(&owner.pubkey(), 2, SOL)], &[&owner]);
    w.vote_rollback(&APPROVERS, false);
    let items = w.old_bytes(&[vault]);
    refuse_restore(&mut w, ManagerError::Touched, &items);
    let down = w.restore_ix("dan", &[(vault, RestoreItem::Down)]);
    w.run("restore_accounts (1, down)", down, &[&key("dan"), &key("payer")]);
    assert_eq!(w.record(&vault).status, AccountStatus::Restored);
}

#[test]
fn a_restore_waits_only_until_somebody_funds_the_emptied_wallet_of_the_rent_payer() {
    let mut w = World::at(Stage::Executed);
    let vaults = w.vaults.clone();
    w.migrate_all();
    let (cranker, dan) = (key("cranker"), key("dan"));
    let all = w.chain.lamports(&cranker.pubkey());
    w.chain.ok(&[transfer(&cranker.pubkey(), &dan.pubkey(), all)], &[&cranker]);
    w.vote_rollback(&APPROVERS, false);
    let one = w.restore_ix("dan", &w.old_bytes(&vaults[..1]));
    w.chain.refuse_saying("InsufficientFundsForRent", &[one.clone()], &[&dan, &key("payer")]);
    let help = transfer(&dan.pubkey(), &cranker.pubkey(), w.chain.rent(0));
    w.chain.ok(&[help, one], &[&dan, &key("payer")]);
    assert_eq!(w.record(&vaults[0]).status, AccountStatus::Restored);
}

#[test]
fn a_vault_closed_by_its_owner_does_not_block_the_rollback() {
    let mut w = World::at(Stage::Migrated);
    let (gone, owner) = (w.vaults[4], key("owner"));
    let index = w.index_of(&gone);
    w.chain.ok(&[close_ix(&owner.pubkey(), index)], &[&owner]);
    w.vote_rollback(&APPROVERS, false);
    let note = w.verify_ix(&[gone]);
    w.chain.ok(&[note], &[]);
    w.vaults.remove(4);
    w.restore_all();
    w.roll_back();
    assert_eq!((w.state().counters.closed, w.state().counters.restored), (1, VAULTS - 1));
}

#[test]
fn restored_vaults_stay_shut_until_the_old_code_is_back() {
    let mut w = rolling_back();
    w.restore_all();
    let owner = key("owner");
    let use_it = deposit_ix(&owner.pubkey(), 1, SOL);
    w.chain.refuse(demo_vault::error::VaultError::NeedsMigration, &[use_it.clone()], &[&owner]);
    w.roll_back();
    w.chain.next_slot();
    w.chain.ok(&[use_it], &[&owner]);
}

#[test]
fn a_rollback_happens_once_and_not_in_the_slot_of_the_upgrade() {
    let mut w = World::at(Stage::Ready);
    w.execute();
    w.vote_rollback(&APPROVERS, false);
    let back = w.rollback_ix("dan");
    w.chain.refuse(ManagerError::SameSlot, &[back.clone()], &[&key("dan")]);
    w.chain.next_slot();
    w.chain.ok(&[back.clone()], &[&key("dan")]);
    w.chain.next_slot();
    assert!(w.chain.send(&[back], &[&key("dan")]).is_err());
    let vote = w.approve_rollback_ix("eve", false);
    w.chain.refuse(ManagerError::NotExecuted, &[vote], &[&key("eve")]);
    assert_eq!(w.live_code(), backend::elf::trimmed(e2e::elf::v1()));
}

#[test]
fn nothing_is_proposed_while_a_completed_upgrade_is_rolled_back() {
    let mut w = World::at(Stage::Completed);
    w.stage_upgrade("upgrade-2", e2e::elf::v2());
    w.stage_rollback("rollback-2", e2e::elf::v2());
    w.vote_rollback(&APPROVERS, false);
    let args = ProposeArgs { to_version: 3, ..w.propose_args() };
    let propose = w.propose_with_ix("anna", args, "upgrade-2", "rollback-2");
    w.chain.refuse(ManagerError::NotSteady, &[propose], &[&key("anna"), &key("payer")]);
}

#[test]
fn a_rollback_works_after_verification_and_after_completion() {
    for stage in [Stage::Migrated, Stage::Completed] {
        let mut w = World::at(stage);
        w.vote_rollback(&APPROVERS, false);
        w.restore_all();
        w.roll_back();
        assert_eq!(w.snapshot(), w.before);
        assert_eq!(w.state().counters.restored, VAULTS);
    }
}

#[test]
fn a_vault_opened_on_the_new_layout_keeps_its_balance_until_the_next_upgrade() {
    // The account has no old bytes and no record: a rollback cannot restore it and leaves it
    // unchanged.
    let mut w = World::at(Stage::Migrated);
    let (owner, who) = (key("owner"), address("owner"));
    let born = vault_address(&who, 80);
    w.chain.ok(&[open_ix(&who, 80), deposit_ix(&who, 80, SOL)], &[&owner]);
    w.vote_rollback(&APPROVERS, false);
    w.restore_all();
    w.roll_back();
    w.chain.next_slot();
    let shut = close_ix(&who, 80);
    let error = demo_vault::error::VaultError::NewerLayout;
    w.chain.refuse(error, &[shut.clone()], &[&owner]);
    w.close_buffers(&["upgrade", "rollback"]);
    w.stage_buffers(e2e::elf::v2(), e2e::elf::v1());
    w.propose();
    w.approve_by(&APPROVERS);
    w.chain.pass(48 * 3600);
    w.execute();
    w.chain.next_slot();
    assert_eq!(w.chain.lamports(&born), w.chain.rent(v2::LEN) + SOL);
    w.chain.ok(&[shut], &[&owner]);
}

#[test]
fn a_vault_whose_count_the_old_layout_cannot_hold_is_not_restored() {
    let mut w = World::at(Stage::Migrated);
    let owner = key("owner");
    let vault = vault_address(&owner.pubkey(), 1);
    w.chain.tamper(&vault, |data| data[55..63].copy_from_slice(&70_000u64.to_le_bytes()));
    assert_eq!(w.chain.read::<v2::Vault>(&vault).deposits, 70_000);
    w.chain.ok(&[open_ix(&owner.pubkey(), 70), set_limit_ix(&owner.pubkey(), 1, 5)], &[&owner]);
    w.vote_rollback(&APPROVERS, false);
    let down = w.restore_ix("dan", &[(vault, RestoreItem::Down)]);
    let error = demo_vault::error::VaultError::TooManyDeposits;
    w.chain.refuse(error, &[down], &[&key("dan"), &key("payer")]);
}
