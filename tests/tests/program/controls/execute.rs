//! Upgrade and rollback use exactly the approved buffers, even if another buffer holds the same
//! bytes.
use e2e::{
    elf,
    keys::key,
    world::{APPROVERS, Stage, World},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{
    error::ManagerError,
    seeds,
    state::{Phase, ProgramUpgradeState},
};

/// `ix` with `to` in the place of `from`.
fn swapped(ix: &Instruction, from: Pubkey, to: Pubkey) -> Instruction {
    let mut ix = ix.clone();
    let at = ix.accounts.iter().position(|m| m.pubkey == from).expect("an account of it");
    ix.accounts[at].pubkey = to;
    ix
}

#[test]
fn a_buffer_with_the_same_bytes_as_the_approved_one_is_not_installed() {
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
    w.vote_rollback(&APPROVERS, false);
    let back = w.rollback_ix("dan");
    let twin = swapped(&back, of(&w, "rollback"), of(&w, "rollback-twin"));
    w.chain.refuse(ManagerError::WrongAccount, &[twin], &[&key("dan")]);
    w.chain.ok(&[back], &[&key("dan")]);
}

#[test]
fn an_upgrade_starts_from_the_hash_that_the_program_is_known_by() {
    let mut w = World::at(Stage::Ready);
    let state = seeds::program_state(&demo_vault::ID).0;
    let known = w.state().elf_hash;
    w.chain.rewrite::<ProgramUpgradeState>(&state, |state| state.elf_hash = [9; 32]);
    let execute = w.execute_ix("dan");
    w.chain.refuse(ManagerError::RollbackNotLive, std::slice::from_ref(&execute), &[&key("dan")]);
    w.chain.rewrite::<ProgramUpgradeState>(&state, |state| state.elf_hash = known);
    w.chain.ok(&[execute], &[&key("dan")]);
}

#[test]
fn a_rollback_needs_votes_and_not_only_the_phase() {
    let mut w = World::at(Stage::Executed);
    let state = seeds::program_state(&demo_vault::ID).0;
    w.chain.rewrite::<ProgramUpgradeState>(&state, |state| state.phase = Phase::RollingBack);
    let back = w.rollback_ix("dan");
    w.chain.refuse(ManagerError::RollbackNotApproved, &[back], &[&key("dan")]);
}

#[test]
fn neither_buffer_of_a_proposal_serves_for_the_other() {
    let mut w = World::at(Stage::Ready);
    let of = |w: &World, name: &str| {
        let buffer = w.buffer_key(name).pubkey();
        (buffer, seeds::attestation(&buffer).0)
    };
    let (upgrade, rollback) = (of(&w, "upgrade"), of(&w, "rollback"));
    let good = w.execute_ix("dan");
    for (from, to) in [(upgrade, rollback), (rollback, upgrade)] {
        let crossed = swapped(&swapped(&good, from.0, to.0), from.1, to.1);
        w.chain.refuse(ManagerError::WrongAccount, &[crossed], &[&key("dan")]);
    }
    w.chain.ok(&[good], &[&key("dan")]);
    w.chain.next_slot();
    w.vote_rollback(&APPROVERS, false);
    let back = w.rollback_ix("dan");
    let crossed = swapped(&swapped(&back, rollback.0, upgrade.0), rollback.1, upgrade.1);
    w.chain.refuse(ManagerError::WrongAccount, &[crossed], &[&key("dan")]);
    w.chain.ok(&[back], &[&key("dan")]);
}
