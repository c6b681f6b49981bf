//! A multisig of the manager's whose only voter is a Squads vault: the vault votes, anna proposes, dan
//! executes.
use backend::instructions::{self as ix, with_squads};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{MemberArgs, MultisigRules, ProposalStatus, SquadsVault, role};

use super::SquadsMultisig;
use crate::{
    elf,
    keys::{address, key},
    world::{Stage, TIMELOCK, World},
};

/// The Squads members; three of them decide.
pub const SQUAD: [&str; 5] = ["sam", "sue", "sid", "sol", "syd"];
/// Rules of a manager multisig in which `vault` votes, anna proposes and dan executes.
pub fn rules(w: &World, squads: SquadsVault, vault: Pubkey) -> MultisigRules {
    let mut members = vec![
        MemberArgs { key: vault, roles: role::VOTE },
        MemberArgs { key: address("anna"), roles: role::PROPOSE },
        MemberArgs { key: address("dan"), roles: role::EXECUTE },
    ];
    members.sort_by_key(|m| m.key);
    MultisigRules { threshold: 1, squads: Some(squads), members, ..w.multisig_args() }
}

/// Three of five, of vault 0.
pub fn three_of_five(squad: &SquadsMultisig) -> SquadsVault {
    SquadsVault { multisig: squad.multisig, vault_index: 0, min_threshold: 3, min_voters: 5 }
}

/// `ix` with the Squads multisig behind it.
pub fn backed(w: &World, ix: Instruction) -> Instruction {
    let named =
        w.config().squads.is_some_and(|s| ix.accounts.iter().any(|m| m.pubkey == s.multisig));
    if named { ix } else { with_squads(ix, &w.config()) }
}

/// A world whose multisig has a Squads vault for a voter, with attested buffers.
pub fn attested() -> (World, SquadsMultisig) {
    let mut w = World::at(Stage::Deployed);
    let squad = SquadsMultisig::create(&mut w.chain, &SQUAD, 3, 0);
    let create = w.create_multisig_ix(rules(&w, three_of_five(&squad), squad.vault()));
    w.run("create_multisig", create, &[&key("create"), &key("payer")]);
    let register = backed(&w, w.register_ix());
    w.run("register_program", register, &[&key("dev"), &key("payer")]);
    w.stage_buffers(elf::v2(), elf::v1());
    (w, squad)
}

/// The same, with an upgrade proposed.
pub fn proposed() -> (World, SquadsMultisig) {
    let (mut w, squad) = attested();
    w.before = w.snapshot();
    let propose = backed(&w, w.propose_ix("anna", w.propose_args()));
    w.run("propose_upgrade", propose, &[&key("anna"), &key("payer")]);
    (w, squad)
}

/// The same, approved, with the timelock over.
pub fn ready() -> (World, SquadsMultisig) {
    let (mut w, squad) = proposed();
    let vote = vote(&w, &squad);
    squad.run(&mut w.chain, &[vote]);
    assert_eq!(w.proposal().status, ProposalStatus::Timelocked);
    w.chain.pass(i64::from(TIMELOCK));
    (w, squad)
}

/// The vault's approval.
pub fn vote(w: &World, squad: &SquadsMultisig) -> Instruction {
    backed(w, ix::approve(&squad.vault(), &w.keys(), w.proposal().digest))
}

/// The vault's vote for rollback.
pub fn vote_back(w: &World, squad: &SquadsMultisig) -> Instruction {
    backed(w, ix::approve_rollback(&squad.vault(), &w.keys(), w.proposal().digest, false))
}
