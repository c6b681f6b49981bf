//! Code can be called one slot after its installation, at an upgrade and at a rollback. What is
//! tried before that fails and can be sent again.
use bank::{
    keys::{address, key},
    world::World,
};
use demo_vault::{
    client::{deposit_ix, set_limit_ix},
    error::VaultError,
};
use solana_instruction::{Instruction, error::InstructionError};
use solana_loader_v3_interface::instruction::extend_program;
use upgrade_manager::{
    error::ManagerError,
    state::{AccountStatus, Phase, ProposalStatus},
};

/// The runtime's log line about a program whose code cannot be called yet.
const NOT_YET: &str = "Program is not deployed";
/// The loader's log line about a second change of the same code in one slot.
const TWICE: &str = "Program was deployed in this block already";
/// The smallest extension of a program that the loader accepts.
const MIN_EXTEND_LEN: u32 = 10_240;

fn deposit() -> Instruction {
    deposit_ix(&address("owner"), 0, 1_000)
}

/// An instruction that only the new code has.
fn set_limit() -> Instruction {
    set_limit_ix(&address("owner"), 0, 1_000)
}

/// A call that the bank refuses before any code runs.
#[track_caller]
fn not_yet(w: &mut World, call: Instruction) {
    let refused = w.bank.refused(&[call], &[&key("owner")]);
    let logs = refused.logs.join("\n");
    assert_eq!(*refused.instruction_error(), InstructionError::UnsupportedProgramId, "{logs}");
    assert!(refused.says(NOT_YET) && !refused.says("Program log:"), "{logs}");
}

/// A stranger extends the vault program, which the loader allows to anyone.
fn extend(bytes: u32) -> Instruction {
    extend_program(&demo_vault::ID, Some(&address("stranger")), bytes)
}

#[test]
fn in_the_slot_of_the_upgrade_neither_old_nor_new_code_answers() {
    let mut w = World::ready();
    w.bank.ok(&[deposit()], &[&key("owner")]);
    w.execute();
    not_yet(&mut w, deposit());
    not_yet(&mut w, set_limit());

    w.bank.next_slot();
    w.bank.refuse(VaultError::NeedsMigration, &[deposit()], &[&key("owner")]);
    w.run("migrate_accounts", w.migrate_ix(), &[&key("cranker")]);
    w.bank.ok(&[set_limit(), deposit()], &[&key("owner")]);
}

#[test]
fn a_transaction_that_installs_code_and_calls_it_does_neither() {
    let mut w = World::ready();
    let (old, before) = (w.live_code(), w.state());
    let both = [w.execute_ix(), set_limit()];
    let (error, signers) = (InstructionError::UnsupportedProgramId, [&key("dan"), &key("owner")]);
    w.bank.refuse_saying(error, NOT_YET, &both, &signers);
    assert_eq!((w.live_code(), w.state()), (old, before));
    w.bank.ok(&[deposit()], &[&key("owner")]);
}

#[test]
fn attack_14_migrating_in_the_slot_of_the_upgrade_is_refused_by_the_manager_itself() {
    let mut w = World::ready();
    let together = [w.execute_ix(), w.migrate_ix()];
    let signers = [&key("dan"), &key("cranker")];
    w.bank.refuse(ManagerError::SameSlot, &together, &signers);
    w.execute();
    let migrate = w.migrate_ix();
    w.bank.refuse(ManagerError::SameSlot, &[migrate.clone()], &[&key("cranker")]);
    assert_eq!(w.state().counters.migrated, 0);

    w.bank.next_slot();
    w.bank.ok(&[migrate], &[&key("cranker")]);
    let migrated = w.state().counters.migrated;
    assert_eq!(usize::try_from(migrated).unwrap(), w.vaults.len());
}

#[test]
fn in_the_slot_of_a_rollback_neither_new_nor_old_code_answers() {
    let mut w = World::executed();
    w.run("migrate_accounts", w.migrate_ix(), &[&key("cranker")]);
    w.vote_rollback();
    w.run("restore_accounts", w.restore_ix(), &[&key("dan"), &key("payer")]);
    w.roll_back();
    assert_eq!(w.proposal().status, ProposalStatus::RolledBack);
    not_yet(&mut w, deposit());
    not_yet(&mut w, set_limit());

    w.bank.next_slot();
    // Anchor's code for an instruction that the program does not have.
    w.bank.refuse(101_u32, &[set_limit()], &[&key("owner")]);
    for vault in &w.vaults {
        assert_eq!(w.bank.data(vault), w.before[vault]);
    }
    w.bank.ok(&[deposit()], &[&key("owner")]);
}

#[test]
fn a_rollback_in_the_slot_of_the_upgrade_waits_for_the_next_slot() {
    let mut w = World::ready();
    w.execute();
    w.vote_rollback();
    let roll_back = w.rollback_ix();
    w.bank.refuse(ManagerError::SameSlot, &[roll_back.clone()], &[&key("dan")]);
    assert_eq!(w.state().phase, Phase::RollingBack);
    w.bank.next_slot();
    w.bank.ok(&[roll_back], &[&key("dan")]);
    w.bank.next_slot();
    w.bank.ok(&[deposit()], &[&key("owner")]);
}

#[test]
fn attack_13_extending_the_program_in_the_slot_of_execution_costs_one_slot_and_nothing_else() {
    let mut w = World::ready();
    let (state, proposal) = (w.state(), w.proposal());
    w.bank.ok(&[extend(MIN_EXTEND_LEN)], &[&key("stranger")]);
    let execute = w.execute_ix();
    let error = InstructionError::InvalidArgument;
    w.bank.refuse_saying(error, TWICE, &[execute.clone()], &[&key("dan")]);
    assert_eq!((w.state(), w.proposal()), (state, proposal));

    w.bank.next_slot();
    w.bank.ok(&[execute], &[&key("dan")]);
    assert_eq!(w.proposal().status, ProposalStatus::Executed);
    w.bank.next_slot();
    w.run("migrate_accounts", w.migrate_ix(), &[&key("cranker")]);
}

#[test]
fn attack_13_extending_the_program_in_the_slot_of_a_migration_or_rollback_costs_one_slot_each() {
    let mut w = World::executed();
    w.bank.ok(&[extend(MIN_EXTEND_LEN)], &[&key("stranger")]);
    let migrate = w.migrate_ix();
    let error = InstructionError::UnsupportedProgramId;
    w.bank.refuse_saying(error, NOT_YET, &[migrate.clone()], &[&key("cranker")]);
    assert_eq!(w.state().counters.migrated, 0);
    w.bank.next_slot();
    w.bank.ok(&[migrate], &[&key("cranker")]);

    w.vote_rollback();
    w.run("restore_accounts", w.restore_ix(), &[&key("dan"), &key("payer")]);
    let (state, roll_back) = (w.state(), w.rollback_ix());
    w.bank.ok(&[extend(MIN_EXTEND_LEN)], &[&key("stranger")]);
    let error = InstructionError::InvalidArgument;
    w.bank.refuse_saying(error, TWICE, &[roll_back.clone()], &[&key("dan")]);
    assert_eq!(w.state(), state);
    w.bank.next_slot();
    w.bank.ok(&[roll_back], &[&key("dan")]);
    assert_eq!(w.record(&w.vaults[0]).status, AccountStatus::Restored);
}
