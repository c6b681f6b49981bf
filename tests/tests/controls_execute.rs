//! The buffers of an upgrade and of a rollback are the very ones that were approved, were another to
//! hold the same bytes.
use e2e::{
    elf,
    keys::key,
    world::{DECIDING, Stage, World},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::error::ManagerError;

/// `ix` with `to` in the place of `from`.
fn swapped(ix: &Instruction, from: Pubkey, to: Pubkey) -> Instruction {
    let mut ix = ix.clone();
    let at = ix.accounts.iter().position(|m| m.pubkey == from).expect("an account of it");
    ix.accounts[at].pubkey = to;
    ix
}

#[test]
fn a_twin_of_an_approved_buffer_is_not_installed() {
    let mut w = World::at(Stage::Ready);
    w.stage_upgrade("upgrade-twin", elf::v2());
    w.stage_rollback("rollback-twin", elf::v1());
    let of = |w: &World, name: &str| w.buffer_key(name).pubkey();
    let good = w.execute_ix("dan");
    for role in ["upgrade", "rollback"] {
        let twin = swapped(&good, of(&w, role), of(&w, &format!("{role}-twin")));
        w.chain.refuse(ManagerError::WrongAccount, &[twin], &[&key("dan")]);
    }
    w.chain.ok(&[good], &[&key("dan")]);
    w.chain.next_slot();
    w.vote_rollback(&DECIDING, false);
    let back = w.rollback_ix("dan");
    let twin = swapped(&back, of(&w, "rollback"), of(&w, "rollback-twin"));
    w.chain.refuse(ManagerError::WrongAccount, &[twin], &[&key("dan")]);
    w.chain.ok(&[back], &[&key("dan")]);
}
