//! The real loader refuses every change of a buffer that the manager holds.
use bank::{
    elf,
    keys::{address, key},
    verbs::buffer,
    world::World,
};
use solana_instruction::error::InstructionError;
use solana_loader_v3_interface::instruction::{close, set_buffer_authority, upgrade, write};
use upgrade_manager::seeds;

#[test]
fn attack_10_the_bytes_of_a_frozen_buffer_cannot_be_written_to_taken_or_closed() {
    let mut w = World::attested();
    let (dev, target, frozen) = (address("dev"), demo_vault::ID, buffer("upgrade"));
    let before = w.bank.account(&frozen);
    let all = [
        ("write", write(&frozen, &dev, 0, vec![0; 8])),
        ("take", set_buffer_authority(&frozen, &dev, &dev)),
        ("close", close(&frozen, &dev, &dev)),
        ("install", upgrade(&target, &frozen, &dev, &dev)),
    ];
    for (what, instruction) in all {
        let refused = w.bank.refused(&[instruction], &[&key("dev")]);
        let error = refused.instruction_error();
        assert_eq!(*error, InstructionError::IncorrectAuthority, "{what}: {:?}", refused.logs);
    }
    assert_eq!(w.bank.account(&frozen), before);
}

#[test]
fn attack_10_naming_the_managers_address_as_authority_does_not_replace_its_signature() {
    let mut w = World::attested();
    let (frozen, holder) = (buffer("upgrade"), seeds::authority(&demo_vault::ID).0);
    let mut forged = write(&frozen, &holder, 0, vec![0; 8]);
    // No key signs for an address of a program, so the sender can only leave the signature out.
    forged.accounts[1].is_signer = false;
    let error = InstructionError::MissingRequiredSignature;
    w.bank.refuse_saying(error, "Buffer authority did not sign", &[forged], &[]);
    assert_eq!(w.bank.data(&frozen)[37..], *elf::v2());
}
