//! The largest possible ProgramData: a stranger extends the program right before the upgrade's
//! execution.
use backend::instructions::program_data_address;
use bank::{
    bank::MAX_COMPUTE_UNITS,
    keys::{address, key},
    world::World,
};
use demo_vault::client::deposit_ix;
use solana_loader_v3_interface::instruction::extend_program;
use upgrade_manager::state::ProposalStatus;

/// The most bytes an account can have.
const MAX_ACCOUNT_LEN: usize = 10 * 1024 * 1024;

#[test]
fn attack_34_a_program_extended_to_ten_mebibytes_is_upgraded_migrated_and_rolled_back() {
    let mut w = World::ready();
    let data = program_data_address(&demo_vault::ID);
    let growth = u32::try_from(MAX_ACCOUNT_LEN - w.bank.data(&data).len()).unwrap();
    let extend = extend_program(&demo_vault::ID, Some(&address("stranger")), growth);
    let units = w.bank.ok(&[extend], &[&key("stranger")]);
    println!("units extend_program to 10 MiB: {units}");
    assert_eq!(w.bank.data(&data).len(), MAX_ACCOUNT_LEN);
    w.bank.next_slot();

    println!("with a ProgramData of 10 MiB:");
    let execute = w.execute();
    w.bank.next_slot();
    w.run("migrate_accounts", w.migrate_ix(), &[&key("cranker")]);
    w.vote_rollback();
    w.run("restore_accounts", w.restore_ix(), &[&key("dan"), &key("payer")]);
    let roll_back = w.roll_back();
    w.bank.next_slot();
    w.bank.ok(&[deposit_ix(&address("owner"), 0, 1_000)], &[&key("owner")]);
    assert_eq!(w.proposal().status, ProposalStatus::RolledBack);
    // The bank itself stops a transaction at the limit; half of it must be left, whatever else the
    // manager comes to check.
    for (what, units) in [("execute_upgrade", execute), ("rollback_program", roll_back)] {
        assert!(units < u64::from(MAX_COMPUTE_UNITS) / 2, "{what}: {units}");
    }
}
