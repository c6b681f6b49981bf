//! The time limits: timelock, execution window, expiry, and the slots that must pass with them.
use e2e::{
    keys::{address, key},
    world::{APPROVERS, PROPOSAL_LIFETIME, Stage, TIMELOCK, World},
};
use upgrade_manager::{error::ManagerError, instructions::ProposeArgs, state::ProposalStatus};

#[test]
fn nothing_expires_early_and_anyone_can_expire_what_is_over() {
    let mut w = World::at(Stage::Proposed);
    let (expire, end) = (w.expire_ix(), w.proposal().terms.expires_at);
    w.chain.pass_until(end);
    w.chain.refuse(ManagerError::NotExpired, &[expire.clone()], &[]);
    w.approve_by(&["anna"]);
    w.chain.pass(1);
    for ix in [w.approve_ix("ben"), w.reject_ix("ben")] {
        w.chain.refuse(ManagerError::Expired, &[ix], &[&key("ben")]);
    }
    w.run("expire", expire.clone(), &[]);
    assert_eq!(w.proposal().status, ProposalStatus::Expired);
    assert_eq!(w.state().live_proposal, None);
    assert_eq!(w.config().member(&address("anna")).unwrap().open, 0);
    w.chain.refuse(ManagerError::NotVoting, &[expire], &[]);
}

#[test]
fn an_executed_proposal_does_not_expire() {
    let mut w = World::at(Stage::Executed);
    w.chain.pass(PROPOSAL_LIFETIME * 2);
    let expire = w.expire_ix();
    w.chain.refuse(ManagerError::NotVoting, &[expire], &[]);
}

#[test]
fn an_approval_that_leaves_no_time_before_expiry_cannot_be_executed() {
    let mut w = World::at(Stage::Proposed);
    w.chain.pass_until(w.proposal().terms.expires_at - 10);
    w.approve_by(&APPROVERS);
    let proposal = w.proposal();
    assert!(proposal.window_end < proposal.eta);
    w.chain.pass_until(proposal.eta);
    let execute = w.execute_ix("dan");
    w.chain.refuse(ManagerError::Expired, &[execute], &[&key("dan")]);
    let expire = w.expire_ix();
    w.chain.ok(&[expire], &[]);
}

#[test]
fn a_proposal_expires_after_its_timelock_and_within_half_a_year() {
    let mut w = World::at(Stage::Attested);
    let now = w.chain.time();
    let half_a_year = 180 * 24 * 3600;
    for (expires_at, fits) in [
        (now + i64::from(TIMELOCK), false),
        (now + i64::from(TIMELOCK) + 1, true),
        (now + half_a_year, true),
        (now + half_a_year + 1, false),
        (now - 1, false),
        (i64::MAX, false),
        (i64::MIN, false),
    ] {
        let mut w = w.clone();
        let ix = w.propose_ix("anna", ProposeArgs { expires_at, ..w.propose_args() });
        let outcome = w.chain.send(&[ix], &[&key("anna"), &key("payer")]);
        assert_eq!(outcome.is_ok(), fits, "{expires_at}: {outcome:?}");
    }
    w.chain.next_slot();
}
