//! Controls on proposals about a multisig that no test in `attacks` reaches.
use e2e::world::{PROPOSAL_LIFETIME, Stage, World};
use upgrade_manager::{
    error::ManagerError,
    instructions::GovernanceArgs,
    state::{Action, Choice, MAX_NOTE_LEN, ProposalStatus},
};

#[test]
fn a_multisig_ends_only_when_nothing_is_left_of_it() {
    // The multisig holds a program.
    let mut w = World::at(Stage::Registered);
    let id = w.propose_multisig(Action::Dissolve);
    w.agree_multisig(id);
    let end = w.execute_change_ix("dan", id);
    w.attack(ManagerError::ProgramsRegistered, &[end], &["dan"]);
    // The multisig has another open proposal.
    let mut w = World::at(Stage::Multisig);
    let id = w.propose_multisig(Action::Dissolve);
    let other = w.propose_multisig(w.new_rules(|rules| rules.open_cap = 3));
    w.agree_multisig(id);
    let end = w.execute_change_ix("dan", id);
    w.attack(ManagerError::ProgramsRegistered, &[end.clone()], &["dan"]);
    let close = w.close_multisig_ix("stranger");
    w.attack(ManagerError::ProgramsRegistered, &[close], &["stranger"]);
    // Its proposer withdraws it before any vote.
    let cancel = w.multisig_cancel_ix("anna", other);
    w.passes(&[cancel], &["anna"]);
    w.passes(&[end], &["dan"]);
    // A dissolved multisig accepts no proposal.
    let propose = w.propose_multisig_ix("anna", Action::Dissolve);
    w.attack(ManagerError::Dissolved, &[propose], &["anna", "payer"]);
    let register = w.register_ix();
    w.attack(ManagerError::Dissolved, &[register], &["dev", "payer"]);
    let pause = w.pause_ix("guardian");
    w.attack(ManagerError::Dissolved, &[pause], &["guardian"]);
    let close = w.close_multisig_ix("stranger");
    w.passes(&[close], &["stranger"]);
}

#[test]
fn a_note_has_room_for_a_sentence_and_no_more() {
    let mut w = World::at(Stage::Multisig);
    for (len, fits) in [(MAX_NOTE_LEN, true), (MAX_NOTE_LEN + 1, false)] {
        let args = GovernanceArgs {
            genesis_hash: [7; 32],
            expires_at: w.chain.time() + PROPOSAL_LIFETIME,
            note: "n".repeat(len),
            action: Action::Dissolve,
        };
        let propose = w.propose_multisig_with_ix("anna", args);
        if fits {
            w.would_pass(&[propose], &["anna", "payer"]);
        } else {
            w.attack(ManagerError::NoteTooLong, &[propose], &["anna", "payer"]);
        }
    }
}

#[test]
fn a_governance_proposal_expires_after_its_timelock_and_within_half_a_year() {
    let mut w = World::at(Stage::Multisig);
    let (now, lock) = (w.chain.time(), i64::from(w.config().timelock));
    let half_a_year = 180 * 24 * 3600;
    for (expires_at, error) in [
        (now + lock, Some(ManagerError::ExpiryOutOfRange)),
        (now + lock + 1, None),
        (now + half_a_year, None),
        (now + half_a_year + 1, Some(ManagerError::ExpiryOutOfRange)),
        (i64::MIN, Some(ManagerError::Overflow)),
    ] {
        let note = String::new();
        let action = Action::Dissolve;
        let args = GovernanceArgs { genesis_hash: [7; 32], expires_at, note, action };
        let propose = w.propose_multisig_with_ix("anna", args);
        match error {
            Some(error) => w.attack(error, &[propose], &["anna", "payer"]),
            None => w.would_pass(&[propose], &["anna", "payer"]),
        }
    }
}

#[test]
fn a_multisig_with_open_proposals_or_programs_is_not_closed() {
    let mut w = World::at(Stage::Registered);
    let id = w.propose_multisig(w.hand_over("heir"));
    let close = w.close_multisig_proposal_ix("stranger", id);
    w.attack(ManagerError::NotEnded, &[close.clone()], &["stranger"]);
    w.agree_multisig(id);
    w.attack(ManagerError::NotEnded, &[close.clone()], &["stranger"]);
    let state = w.close_state_ix("stranger");
    w.attack(ManagerError::NotReleased, &[state.clone()], &["stranger"]);
    let transfer = w.execute_transfer_ix("dan", id);
    w.passes(&[transfer], &["dan", "heir"]);
    w.passes(&[state, close], &["stranger"]);
}

#[test]
fn a_proposal_about_the_multisig_is_bound_by_votes_roles_and_times() {
    let mut w = World::at(Stage::Multisig);
    let id = w.propose_multisig(w.new_rules(|rules| rules.open_cap = 3));
    let expire = w.multisig_expire_ix(id);
    w.attack(ManagerError::NotExpired, &[expire], &[]);
    let vote = w.multisig_vote_ix("stranger", id, Choice::Approve);
    w.attack(ManagerError::NotAMember, &[vote], &["stranger"]);
    let early = w.execute_change_ix("dan", id);
    w.attack(ManagerError::NotTimelocked, &[early.clone()], &["dan"]);
    w.agree_multisig(id);
    let outside = w.execute_change_ix("stranger", id);
    w.attack(ManagerError::NotAMember, &[outside], &["stranger"]);
    let end = w.multisig_proposal(id).window_end;
    let mut late = w.clone();
    late.chain.pass_until(end + 1);
    late.attack(ManagerError::Expired, &[early.clone()], &["dan"]);
    w.passes(&[early.clone()], &["dan"]);
    assert_eq!(w.multisig_proposal(id).status, ProposalStatus::Executed);
    w.attack(ManagerError::NotTimelocked, &[early], &["dan"]);
}
