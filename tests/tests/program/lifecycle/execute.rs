//! Execution installs the approved code, pays the approved spill account, and changes nothing else.
use e2e::{
    elf,
    keys::key,
    loader,
    world::{APPROVERS, Stage, TIMELOCK, World},
};
use solana_loader_v3_interface::instruction::upgrade;
use solana_signer::Signer;
use upgrade_manager::{error::ManagerError, seeds};

#[test]
fn code_the_loader_cannot_verify_changes_nothing() {
    let mut broken = elf::v2().to_vec();
    let table = u64::from_le_bytes(broken[40..48].try_into().unwrap()) as usize;
    // The entry point lies outside of the code.
    broken[24..32].copy_from_slice(&(table as u64).to_le_bytes());
    let mut w = World::at(Stage::Registered);
    w.stage_buffers(&broken, elf::v1());
    w.propose();
    w.approve_by(&APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    let (execute, before) = (w.execute_ix("dan"), w.state());
    w.chain.refuse_saying("InvalidAccountData", &[execute], &[&key("dan")]);
    assert_eq!(w.state(), before);
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v1()));
}

#[test]
fn nobody_executes_twice_or_from_outside_the_multisig() {
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
