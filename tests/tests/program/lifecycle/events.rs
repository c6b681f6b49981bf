//! Every change emits one event, and nobody but the manager can emit one.
use e2e::{
    keys::key,
    world::{APPROVERS, Stage, World, events, sha256},
};
use upgrade_manager::error::ManagerError;

fn discriminator(event: &str) -> [u8; 8] {
    sha256(format!("event:{event}").as_bytes())[..8].try_into().unwrap()
}

#[test]
fn a_proposals_life_leaves_one_event_for_every_change() {
    let mut w = World::at(Stage::Completed);
    w.vote_rollback(&APPROVERS, false);
    w.restore_all();
    w.roll_back();
    w.close_buffers(&["upgrade", "rollback"]);
    let close = w.close_proposal_ix("stranger");
    w.run("close_proposal", close, &[&key("stranger")]);
    let expected = [
        "MultisigCreated",
        "ProgramRegistered",
        "BufferFrozen",
        "BufferAttested",
        "BufferFrozen",
        "BufferAttested",
        "ProposalCreated",
        "VoteCast",
        "VoteCast",
        "VoteCast",
        "UpgradeExecuted",
        "AccountsMoved",
        "AccountsMoved",
        "MigrationCompleted",
        "RollbackVoted",
        "RollbackVoted",
        "RollbackVoted",
        "AccountsMoved",
        "ProgramRolledBack",
        "AccountClosed",
        "AccountClosed",
        "AccountClosed",
    ];
    assert_eq!(w.events, expected.map(discriminator));
}

#[test]
fn rejections_cancellations_and_expiry_leave_their_events() {
    let mut w = World::at(Stage::Proposed);
    let (anna, ben) = (key("anna"), key("ben"));
    for (ix, who, event) in [
        (w.reject_ix("ben"), &ben, "VoteCast"),
        (w.revoke_ix("ben"), &ben, "VoteRevoked"),
        (w.cancel_ix("anna"), &anna, "CancelRequested"),
    ] {
        let meta = w.chain.ok(&[ix], &[who]);
        assert_eq!(events(&meta), [discriminator(event)]);
    }
    let mut w = World::at(Stage::Proposed);
    w.chain.pass_until(w.proposal().terms.expires_at + 1);
    let expire = w.expire_ix();
    assert_eq!(events(&w.chain.ok(&[expire], &[])), [discriminator("ProposalExpired")]);
}

#[test]
fn a_refused_instruction_leaves_no_event() {
    let mut w = World::at(Stage::Proposed);
    w.approve_by(&["anna"]);
    let seen = w.events.len();
    let again = w.approve_ix("anna");
    w.chain.refuse(ManagerError::AlreadyVoted, &[again], &[&key("anna")]);
    assert_eq!(w.events.len(), seen);
    assert_eq!(w.proposal().ballot.votes.len(), 1);
}
