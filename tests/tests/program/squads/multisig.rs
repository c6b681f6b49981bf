//! A multisig changes its voter to a Squads v4 vault and back. The vault votes on changes of the
//! multisig and on transfers of a program, through the real Squads program.
use backend::instructions::{self as ix, Voted};
use e2e::{
    elf,
    keys::{address, key},
    loader,
    squads::{
        ConfigAction, SquadsMultisig,
        governed::{SQUAD, attested, backed, rules, three_of_five},
    },
    world::{Stage, TIMELOCK, World},
};
use solana_instruction::Instruction;
use upgrade_manager::{
    error::ManagerError,
    state::{Action, Phase, ProposalStatus, SquadsVault},
};

/// A change of the threshold to two.
const WEAKEN: [ConfigAction; 1] = [ConfigAction::ChangeThreshold(2)];
/// A change of the threshold back to three.
const MEND: [ConfigAction; 1] = [ConfigAction::ChangeThreshold(3)];

/// Anna proposes `action`. The manager refuses the proposal while the Squads threshold is too low.
/// Returns its id.
fn propose(w: &mut World, squad: &SquadsMultisig, action: Action) -> u64 {
    let id = w.config().next_proposal;
    let propose = backed(w, w.propose_multisig_ix("anna", action));
    let signers = [&key("anna"), &key("payer")];
    squad.reconfigure(&mut w.chain, &WEAKEN);
    w.chain.refuse(ManagerError::SquadsPolicy, &[propose.clone()], &signers);
    lax(squad).reconfigure(&mut w.chain, &MEND);
    w.chain.ok(&[propose], &signers);
    id
}

/// The vault's approval of proposal `id`, and the timelock.
fn agree(w: &mut World, squad: &SquadsMultisig, id: u64) {
    let proposal = w.multisig_proposal(id);
    let approve = backed(w, ix::approve(&squad.vault(), &proposal.voted(), proposal.digest));
    squad.run(&mut w.chain, &[approve]);
    assert_eq!(w.multisig_proposal(id).status, ProposalStatus::Timelocked);
    w.chain.pass(i64::from(TIMELOCK));
}

/// Sends `ix`, which must be refused while the Squads threshold is too low and accepted afterwards.
#[track_caller]
fn execute(w: &mut World, squad: &SquadsMultisig, ix: Instruction, signers: &[&str]) {
    let keys: Vec<_> = signers.iter().map(|name| key(name)).collect();
    let signers: Vec<_> = keys.iter().collect();
    let mut without = ix.clone();
    without.accounts.retain(|m| m.pubkey != squad.multisig);
    w.chain.refuse(ManagerError::SquadsAccount, &[without], &signers);
    squad.reconfigure(&mut w.chain, &WEAKEN);
    w.chain.refuse(ManagerError::SquadsPolicy, &[ix.clone()], &signers);
    lax(squad).reconfigure(&mut w.chain, &MEND);
    w.chain.ok(&[ix], &signers);
}

/// A Squads multisig of the same members with a threshold of two.
fn lax(squad: &SquadsMultisig) -> SquadsMultisig {
    SquadsMultisig { threshold: 2, ..squad.clone() }
}

#[test]
fn a_squads_multisig_becomes_one_of_keys_by_its_own_vote() {
    let (mut w, squad) = attested();
    let native = Action::ConfigChange(w.multisig_args());
    let id = propose(&mut w, &squad, native);
    agree(&mut w, &squad, id);
    let change = backed(&w, w.execute_change_ix("dan", id));
    execute(&mut w, &squad, change, &["dan"]);
    assert_eq!((w.config().squads, w.config().threshold), (None, 3));

    // Now the keys are the voters, and the vault has no vote.
    w.before = w.snapshot();
    w.propose();
    let vote = ix::approve(&squad.vault(), &w.keys(), w.proposal().digest);
    let pending = squad.agree(&mut w.chain, &[vote]);
    let through = squad.execute_ix(&pending);
    w.chain.refuse(ManagerError::CalledByProgram, &[through], &[&squad.executor()]);
    w.approve_by(&e2e::world::APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    w.execute();
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v2()));
}

#[test]
fn a_multisig_of_keys_goes_under_a_squads_vault_that_is_sound_when_it_does() {
    let mut w = World::at(Stage::Registered);
    let squad = SquadsMultisig::create(&mut w.chain, &SQUAD, 3, 0);
    let next = Action::ConfigChange(rules(&w, three_of_five(&squad), squad.vault()));
    let id = propose(&mut w, &squad, next);
    w.agree_multisig(id);
    let change = w.execute_change_ix("dan", id);
    execute(&mut w, &squad, change, &["dan"]);
    assert_eq!(w.config().squads, Some(three_of_five(&squad)));

    // The vault votes on the next change.
    let action = w.new_rules(|rules| rules.open_cap += 1);
    let id = propose(&mut w, &squad, action);
    agree(&mut w, &squad, id);
}

#[test]
fn a_multisig_demands_more_of_its_squads_members_than_before() {
    let (mut w, squad) = attested();
    let strict = SquadsVault { min_threshold: 4, ..three_of_five(&squad) };
    let action = Action::ConfigChange(rules(&w, strict, squad.vault()));
    let ix = backed(&w, w.propose_multisig_ix("anna", action.clone()));
    let signers = [&key("anna"), &key("payer")];
    w.chain.refuse(ManagerError::SquadsPolicy, &[ix], &signers);

    squad.reconfigure(&mut w.chain, &[ConfigAction::ChangeThreshold(4)]);
    let squad = SquadsMultisig { threshold: 4, ..squad };
    let id = w.config().next_proposal;
    let ix = backed(&w, w.propose_multisig_ix("anna", action));
    w.chain.ok(&[ix], &signers);
    agree(&mut w, &squad, id);
    let change = backed(&w, w.execute_change_ix("dan", id));
    w.chain.ok(&[change], &[&key("dan")]);
    // The lower threshold is no longer accepted.
    squad.reconfigure(&mut w.chain, &MEND);
    w.before = w.snapshot();
    let propose = backed(&w, w.propose_ix("anna", w.propose_args()));
    w.chain.refuse(ManagerError::SquadsPolicy, &[propose], &signers);
}

#[test]
fn a_squads_multisig_lets_a_program_go() {
    let (mut w, squad) = attested();
    let action = w.hand_over("dev");
    let id = propose(&mut w, &squad, action);
    agree(&mut w, &squad, id);
    let transfer = backed(&w, w.execute_transfer_ix("dan", id));
    execute(&mut w, &squad, transfer, &["dan", "dev"]);
    assert_eq!(w.state().phase, Phase::Released);
    assert_eq!(loader::authority(&w.chain, &demo_vault::ID), Some(address("dev")));
}
