//! Execution installs what was voted for, pays whom it was voted to pay, and changes nothing else.
use e2e::{
    elf,
    keys::{address, key},
    loader,
    world::{DECIDING, SOL, Stage, TIMELOCK, World},
};
use solana_loader_v3_interface::instruction::{extend_program, upgrade};
use solana_signer::Signer;
use upgrade_manager::{error::ManagerError, seeds};

#[test]
fn the_surplus_goes_to_the_treasury_and_nowhere_else() {
    let mut w = World::at(Stage::Ready);
    let execute = w.execute_ix("dan");
    let spill = execute.accounts.iter().position(|m| m.pubkey == address("treasury")).unwrap();
    let mut wrong = execute.clone();
    wrong.accounts[spill].pubkey = address("dan");
    w.chain.refuse(ManagerError::WrongAccount, &[wrong], &[&key("dan")]);

    let data = w.state().program_data;
    let buffer = w.buffer_key("upgrade").pubkey();
    w.chain.fund(&data, SOL);
    let rent = w.chain.rent(w.chain.data(&data).len());
    let surplus = w.chain.lamports(&data) + w.chain.lamports(&buffer) - rent;
    let before = w.chain.lamports(&address("treasury"));
    w.chain.ok(&[execute], &[&key("dan")]);
    assert_eq!(w.chain.lamports(&address("treasury")), before + surplus);
    assert_eq!(w.chain.lamports(&data), rent);
}

#[test]
fn an_executor_cannot_swap_any_account_for_another_of_its_kind() {
    let mut w = World::at(Stage::Ready);
    w.second_team();
    w.stage_upgrade("other", elf::v2());
    let good = w.execute_ix("dan");
    let other = w.buffer_key("other").pubkey();
    let rollback = w.buffer_key("rollback").pubkey();
    let manager_data = backend::instructions::program_data_address(&upgrade_manager::ID);
    let swaps = [
        (w.multisig(), upgrade_manager::seeds::multisig(&address("second-create")).0),
        (w.buffer_key("upgrade").pubkey(), other),
        (w.buffer_key("upgrade").pubkey(), rollback),
        (rollback, other),
        (seeds::attestation(&w.buffer_key("upgrade").pubkey()).0, seeds::attestation(&other).0),
        (seeds::attestation(&rollback).0, seeds::attestation(&other).0),
        (demo_vault::ID, upgrade_manager::ID),
        (w.state().program_data, manager_data),
        (seeds::authority(&demo_vault::ID).0, seeds::migrator(&demo_vault::ID).0),
        (solana_loader_v3_interface::get_program_data_address(&demo_vault::ID), manager_data),
    ];
    for (from, to) in swaps {
        let mut ix = good.clone();
        let at = ix.accounts.iter().position(|m| m.pubkey == from).unwrap();
        ix.accounts[at].pubkey = to;
        w.chain.refuse(ManagerError::WrongAccount, &[ix], &[&key("dan")]);
    }
    assert_eq!(w.state().version, 1);
    w.chain.ok(&[good], &[&key("dan")]);
}

#[test]
fn bytes_that_changed_behind_the_freeze_are_not_installed() {
    // No instruction can do this; the check stands in case a loader ever learns one that can.
    let mut w = World::at(Stage::Ready);
    w.chain.tamper(&w.buffer_key("upgrade").pubkey(), |data| data[5_000] ^= 1);
    let execute = w.execute_ix("dan");
    w.chain.refuse(ManagerError::HashMismatch, &[execute.clone()], &[&key("dan")]);

    let mut w = World::at(Stage::Ready);
    w.chain.tamper(&w.buffer_key("upgrade").pubkey(), |data| data.push(0));
    w.chain.refuse(ManagerError::HashMismatch, &[execute.clone()], &[&key("dan")]);

    let mut w = World::at(Stage::Ready);
    w.chain.tamper(&w.buffer_key("rollback").pubkey(), |data| data[5_000] ^= 1);
    w.chain.refuse(ManagerError::RollbackNotLive, &[execute.clone()], &[&key("dan")]);

    let mut w = World::at(Stage::Ready);
    let dev = address("dev").to_bytes();
    w.chain.tamper(&w.buffer_key("upgrade").pubkey(), |data| data[5..37].copy_from_slice(&dev));
    w.chain.refuse(ManagerError::BufferNotFrozen, &[execute.clone()], &[&key("dan")]);

    let mut w = World::at(Stage::Ready);
    let data = w.state().program_data;
    w.chain.tamper(&data, |data| data[13..45].copy_from_slice(&dev));
    w.chain.refuse(ManagerError::AuthorityLost, &[execute], &[&key("dan")]);
}

#[test]
fn code_the_loader_cannot_verify_changes_nothing() {
    let mut broken = elf::v2().to_vec();
    let table = u64::from_le_bytes(broken[40..48].try_into().unwrap()) as usize;
    // The entry point lies outside of the code.
    broken[24..32].copy_from_slice(&(table as u64).to_le_bytes());
    let mut w = World::at(Stage::Registered);
    w.stage_buffers(&broken, elf::v1());
    w.propose();
    w.approve_by(&DECIDING);
    w.chain.pass(i64::from(TIMELOCK));
    let (execute, before) = (w.execute_ix("dan"), w.state());
    w.chain.refuse_saying("InvalidAccountData", &[execute], &[&key("dan")]);
    assert_eq!(w.state(), before);
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v1()));
}

#[test]
fn nobody_executes_twice_or_from_outside_the_team() {
    let mut w = World::at(Stage::Ready);
    let execute = w.execute_ix("stranger");
    w.chain.refuse(ManagerError::NotAMember, &[execute], &[&key("stranger")]);
    let again = w.execute_ix("dan");
    w.execute();
    w.chain.next_slot();
    assert!(w.chain.send(&[again.clone()], &[&key("dan")]).is_err());
    w.upload("upgrade", elf::v2());
    w.chain.refuse(ManagerError::NotTimelocked, &[again], &[&key("dan")]);
}

#[test]
fn a_stranger_who_extends_the_program_delays_execution_by_one_slot() {
    let mut w = World::at(Stage::Ready);
    let stranger = key("stranger");
    let extend = extend_program(&demo_vault::ID, Some(&stranger.pubkey()), 10_240);
    w.chain.ok(&[extend], &[&stranger]);
    let execute = w.execute_ix("dan");
    w.chain.refuse_saying("deployed in this block already", &[execute.clone()], &[&key("dan")]);
    w.chain.next_slot();
    w.chain.ok(&[execute], &[&key("dan")]);
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v2()));
}

#[test]
fn a_program_stretched_to_ten_mebibytes_can_still_be_upgraded() {
    let mut w = World::at(Stage::Ready);
    let data = w.state().program_data;
    w.chain.tamper(&data, |data| data.resize(10 * 1024 * 1024, 0));
    w.execute();
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v2()));
}

#[test]
fn the_developer_is_no_longer_the_programs_authority() {
    let mut w = World::at(Stage::Registered);
    let dev = key("dev");
    w.upload("mine", elf::v2());
    let buffer = w.buffer_key("mine").pubkey();
    let install = upgrade(&demo_vault::ID, &buffer, &dev.pubkey(), &dev.pubkey());
    w.chain.refuse_saying("authority", &[install], &[&dev]);
    let give_back = solana_loader_v3_interface::instruction::set_upgrade_authority(
        &demo_vault::ID,
        &dev.pubkey(),
        Some(&dev.pubkey()),
    );
    w.chain.refuse_saying("authority", &[give_back], &[&dev]);
    let authority = seeds::authority(&demo_vault::ID).0;
    assert_eq!(loader::authority(&w.chain, &demo_vault::ID), Some(authority));
}
