//! The four edges of time: lock, window, expiry and the slots that must pass with them.
use e2e::{
    keys::{address, key},
    world::{DECIDING, EXECUTION_WINDOW, LIFE, Stage, TIMELOCK, World},
};
use upgrade_manager::{
    error::ManagerError,
    instructions::ProposeArgs,
    state::{Course, ProposalStatus},
};

#[test]
fn execution_opens_at_eta_and_not_a_second_before() {
    let mut w = World::at(Stage::Timelocked);
    let (eta, execute) = (w.proposal().eta, w.execute_ix("dan"));
    w.chain.pass_until(eta - 1);
    w.chain.set_slot(w.chain.slot() + 10_000);
    w.chain.refuse(ManagerError::TimelockNotOver, &[execute.clone()], &[&key("dan")]);
    w.chain.set_time(eta);
    w.chain.ok(&[execute], &[&key("dan")]);
}

#[test]
fn execution_closes_behind_the_last_second_of_the_window() {
    let mut w = World::at(Stage::Timelocked);
    let proposal = w.proposal();
    assert_eq!(proposal.window_end, proposal.eta + i64::from(EXECUTION_WINDOW));
    w.chain.pass_until(proposal.window_end);
    let mut late = w.clone();
    let execute = w.execute_ix("dan");
    w.chain.ok(&[execute.clone()], &[&key("dan")]);
    late.chain.pass(1);
    late.chain.refuse(ManagerError::Expired, &[execute], &[&key("dan")]);
    assert_eq!(late.state().version, 1);
}

#[test]
fn a_clock_that_ran_ahead_does_not_shorten_the_lock() {
    let mut w = World::at(Stage::Timelocked);
    let (proposal, execute) = (w.proposal(), w.execute_ix("dan"));
    let floor = proposal.slot_floor(TIMELOCK);
    assert_eq!(floor, w.chain.slot() + u64::from(TIMELOCK) * 5 / 4);
    w.chain.set_time(proposal.eta);
    w.chain.refuse(ManagerError::TooFewSlots, &[execute.clone()], &[&key("dan")]);
    w.chain.set_slot(floor - 1);
    w.chain.refuse(ManagerError::TooFewSlots, &[execute.clone()], &[&key("dan")]);
    w.chain.set_slot(floor);
    w.chain.ok(&[execute], &[&key("dan")]);
}

#[test]
fn nothing_expires_early_and_anyone_may_clear_what_has_expired() {
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
fn an_approved_proposal_nobody_executed_expires_behind_its_window() {
    let mut w = World::at(Stage::Timelocked);
    let (expire, end) = (w.expire_ix(), w.proposal().window_end);
    w.chain.pass_until(end);
    w.chain.refuse(ManagerError::NotExpired, &[expire.clone()], &[]);
    w.chain.pass(1);
    let revoke = w.revoke_ix("anna");
    w.chain.refuse(ManagerError::Expired, &[revoke], &[&key("anna")]);
    w.chain.ok(&[expire], &[]);
    assert_eq!(w.proposal().status, ProposalStatus::Expired);
}

#[test]
fn an_executed_proposal_does_not_expire() {
    let mut w = World::at(Stage::Executed);
    w.chain.pass(LIFE * 2);
    let expire = w.expire_ix();
    w.chain.refuse(ManagerError::NotVoting, &[expire], &[]);
}

#[test]
fn the_expiry_cuts_a_window_that_would_outlast_it() {
    let mut w = World::at(Stage::Attested);
    w.id = w.config().next_proposal;
    let expires_at = w.chain.time() + i64::from(TIMELOCK) + 600;
    let args = ProposeArgs { expires_at, ..w.propose_args() };
    let propose = w.propose_ix("anna", args);
    w.chain.ok(&[propose], &[&key("anna"), &key("payer")]);
    w.chain.pass(300);
    w.approve_by(&DECIDING);
    assert_eq!(w.proposal().window_end, expires_at);
    w.chain.pass_until(expires_at + 1);
    let execute = w.execute_ix("dan");
    w.chain.refuse(ManagerError::Expired, &[execute], &[&key("dan")]);
}

#[test]
fn an_approval_too_late_for_any_execution_leaves_no_way_to_execute() {
    let mut w = World::at(Stage::Proposed);
    w.chain.pass_until(w.proposal().terms.expires_at - 10);
    w.approve_by(&DECIDING);
    let proposal = w.proposal();
    assert!(proposal.window_end < proposal.eta);
    w.chain.pass_until(proposal.eta);
    let execute = w.execute_ix("dan");
    w.chain.refuse(ManagerError::Expired, &[execute], &[&key("dan")]);
    let expire = w.expire_ix();
    w.chain.ok(&[expire], &[]);
}

#[test]
fn a_proposal_must_outlive_its_lock_and_end_within_half_a_year() {
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
