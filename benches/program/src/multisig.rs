//! Figures of a multisig's instructions about itself: pause, new rules, transfer of a program,
//! dissolution.
use e2e::{
    keys::key,
    world::{APPROVERS, Stage, TIMELOCK, World},
};
use upgrade_manager::state::{Action, Choice};

use crate::{meter::Meter, upgrade::VOTES};

/// Every instruction of this file.
pub fn measure(m: &mut Meter) {
    pause(m);
    let mut w = World::at(Stage::Registered);
    change(m, &mut w);
    transfer(m, &mut w);
    dissolve(m, &mut w);
}

fn pause(m: &mut Meter) {
    let mut w = World::at(Stage::Multisig);
    let ix = w.pause_ix("guardian");
    m.run(&mut w.chain, "", ix, &["guardian"]);
    for (member, vote) in APPROVERS.into_iter().zip(VOTES) {
        let ix = w.unpause_ix(member);
        m.run(&mut w.chain, vote, ix, &[member]);
    }
}

/// New rules, with every vote measured.
fn change(m: &mut Meter, w: &mut World) {
    let action = w.new_rules(|rules| rules.open_cap += 1);
    let id = propose(m, w, "new rules, five members", action);
    for (member, vote) in APPROVERS.into_iter().zip(VOTES) {
        let ix = w.multisig_vote_ix(member, id, Choice::Approve);
        m.run(&mut w.chain, &format!("new rules, {vote}"), ix, &[member]);
    }
    w.chain.pass(i64::from(TIMELOCK));
    let ix = w.execute_change_ix("dan", id);
    m.run(&mut w.chain, "five members", ix, &["dan"]);
    let ix = w.close_multisig_proposal_ix("stranger", id);
    m.run(&mut w.chain, "", ix, &["stranger"]);
}

/// Transfers the program.
fn transfer(m: &mut Meter, w: &mut World) {
    let action = w.hand_over("dev");
    let id = propose(m, w, "a program leaves", action);
    w.agree_multisig(id);
    let ix = w.execute_transfer_ix("dan", id);
    m.run(&mut w.chain, "", ix, &["dan", "dev"]);
    let ix = w.close_state_ix("stranger");
    m.run(&mut w.chain, "", ix, &["stranger"]);
    let ix = w.close_multisig_proposal_ix("stranger", id);
    w.run("close_governance", ix, &[&key("stranger")]);
}

/// Dissolves the multisig.
fn dissolve(m: &mut Meter, w: &mut World) {
    let id = propose(m, w, "the end", Action::Dissolve);
    w.agree_multisig(id);
    let ix = w.execute_change_ix("dan", id);
    m.run(&mut w.chain, "the end", ix, &["dan"]);
    let ix = w.close_multisig_ix("stranger");
    m.run(&mut w.chain, "", ix, &["stranger"]);
}

fn propose(m: &mut Meter, w: &mut World, case: &str, action: Action) -> u64 {
    let id = w.config().next_proposal;
    let ix = w.propose_multisig_ix("anna", action);
    m.run(&mut w.chain, case, ix, &["payer", "anna"]);
    id
}
