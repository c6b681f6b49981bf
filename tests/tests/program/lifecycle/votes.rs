//! What a vote can and cannot do.
use e2e::{
    chain::SendResult,
    keys::{address, key},
    world::{APPROVERS, MEMBERS, Stage, TIMELOCK, World},
};
use solana_instruction::Instruction;
use solana_message::Message;
use solana_signer::Signer;
use solana_system_interface::instruction::{advance_nonce_account, create_nonce_account};
use upgrade_manager::{
    error::ManagerError,
    state::{Choice, ProposalStatus, role},
};

/// Anchor's code for a signature that is missing.
const SIGNER_MISSING: u32 = 3010;

#[test]
fn nobody_outside_the_multisig_votes_and_nobody_without_signing() {
    let mut w = World::at(Stage::Proposed);
    for ix in [w.approve_ix("stranger"), w.reject_ix("stranger"), w.revoke_ix("stranger")] {
        w.chain.refuse(ManagerError::NotAMember, &[ix], &[&key("stranger")]);
    }
    let ix = w.cancel_ix("stranger");
    w.chain.refuse(ManagerError::NotAMember, &[ix], &[&key("stranger")]);
    let mut unsigned = w.approve_ix("anna");
    unsigned.accounts[0].is_signer = false;
    w.chain.refuse(SIGNER_MISSING, &[unsigned], &[]);
}

#[test]
fn a_member_has_one_vote_and_may_change_it() {
    let mut w = World::at(Stage::Proposed);
    w.approve_by(&["anna"]);
    let again = w.approve_ix("anna");
    w.chain.refuse(ManagerError::AlreadyVoted, &[again.clone()], &[&key("anna")]);
    assert_eq!(w.proposal().ballot.count(Choice::Approve), 1);
    let against = w.reject_ix("anna");
    w.chain.ok(&[against], &[&key("anna")]);
    let ballot = w.proposal().ballot;
    assert_eq!((ballot.count(Choice::Approve), ballot.count(Choice::Reject)), (0, 1));
    w.chain.ok(&[again], &[&key("anna")]);
    let nothing = w.revoke_ix("ben");
    w.chain.refuse(ManagerError::NoVote, &[nothing], &[&key("ben")]);
}

#[test]
fn the_third_approval_of_five_starts_the_timelock() {
    let mut w = World::at(Stage::Proposed);
    w.approve_by(&["anna", "ben"]);
    let proposal = w.proposal();
    assert_eq!((proposal.status, proposal.eta), (ProposalStatus::Active, 0));
    w.chain.pass(100);
    w.approve_by(&["eve"]);
    let proposal = w.proposal();
    assert_eq!(proposal.status, ProposalStatus::Timelocked);
    assert_eq!((proposal.approved_at, proposal.approved_slot), (w.chain.time(), w.chain.slot()));
    assert_eq!(proposal.eta, w.chain.time() + i64::from(TIMELOCK));
}

#[test]
fn a_revoked_approval_stops_the_timelock_and_a_new_one_restarts_it() {
    let mut w = World::at(Stage::Timelocked);
    let first = w.proposal().eta;
    w.chain.pass(47 * 3600);
    let revoke = w.revoke_ix("ben");
    w.run("revoke", revoke, &[&key("ben")]);
    let proposal = w.proposal();
    assert_eq!((proposal.status, proposal.eta), (ProposalStatus::Active, 0));
    assert_eq!((proposal.approved_at, proposal.approved_slot), (0, 0));
    w.chain.pass(2 * 3600);
    let execute = w.execute_ix("dan");
    w.chain.refuse(ManagerError::NotTimelocked, &[execute.clone()], &[&key("dan")]);
    w.approve_by(&["eve"]);
    assert_eq!(w.proposal().eta, first + 49 * 3600);
    w.chain.refuse(ManagerError::TimelockNotOver, &[execute], &[&key("dan")]);
}

#[test]
fn a_fourth_approval_does_not_move_the_eta() {
    let mut w = World::at(Stage::Timelocked);
    let before = w.proposal();
    w.chain.pass(3600);
    w.approve_by(&["dan"]);
    assert_eq!((w.proposal().eta, w.proposal().approved_slot), (before.eta, before.approved_slot));
    let revoke = w.revoke_ix("anna");
    w.chain.ok(&[revoke], &[&key("anna")]);
    assert_eq!(w.proposal().eta, before.eta, "three are left");
}

#[test]
fn three_rejections_of_five_end_it_for_good() {
    let mut w = World::at(Stage::Proposed);
    for member in ["anna", "ben", "chloe"] {
        assert_eq!(w.proposal().status, ProposalStatus::Active);
        let reject = w.reject_ix(member);
        w.run("reject", reject, &[&key(member)]);
    }
    assert_eq!(w.proposal().status, ProposalStatus::Rejected);
    assert_eq!(w.state().live_proposal, None);
    assert_eq!(w.config().member(&address("anna")).unwrap().open, 0);
    for (ix, who) in [
        (w.approve_ix("dan"), "dan"),
        (w.reject_ix("dan"), "dan"),
        (w.revoke_ix("anna"), "anna"),
        (w.cancel_ix("anna"), "anna"),
    ] {
        w.chain.refuse(ManagerError::NotVoting, &[ix], &[&key(who)]);
    }
    let execute = w.execute_ix("dan");
    assert!(w.chain.send(&[execute], &[&key("dan")]).is_err());
}

#[test]
fn a_timelocked_proposal_is_rejected_when_approvers_change_their_votes() {
    let mut w = World::at(Stage::Timelocked);
    for member in APPROVERS {
        let reject = w.reject_ix(member);
        w.chain.ok(&[reject], &[&key(member)]);
    }
    assert_eq!(w.proposal().status, ProposalStatus::Rejected);
    w.chain.pass(i64::from(TIMELOCK));
    let execute = w.execute_ix("dan");
    assert!(w.chain.send(&[execute], &[&key("dan")]).is_err());
    assert_eq!(w.state().version, 1);
}

#[test]
fn the_proposer_withdraws_alone_only_before_any_vote() {
    let mut w = World::at(Stage::Proposed);
    let mut other = w.clone();
    let cancel = w.cancel_ix("anna");
    w.run("cancel", cancel.clone(), &[&key("anna")]);
    assert_eq!(w.proposal().status, ProposalStatus::Cancelled);
    assert_eq!(w.state().live_proposal, None);
    assert_eq!(w.config().member(&address("anna")).unwrap().open, 0);
    w.chain.refuse(ManagerError::NotVoting, &[cancel.clone()], &[&key("anna")]);

    other.approve_by(&["ben"]);
    other.chain.ok(&[cancel], &[&key("anna")]);
    assert_eq!(other.proposal().status, ProposalStatus::Active, "one of three");
}

#[test]
fn the_threshold_cancels_even_a_locked_proposal_and_no_one_counts_twice() {
    let mut w = World::at(Stage::Timelocked);
    for member in ["dan", "eve"] {
        let cancel = w.cancel_ix(member);
        w.chain.ok(&[cancel.clone()], &[&key(member)]);
        w.chain.refuse(ManagerError::AlreadyVoted, &[cancel], &[&key(member)]);
        assert_eq!(w.proposal().status, ProposalStatus::Timelocked);
    }
    let cancel = w.cancel_ix("ben");
    w.chain.ok(&[cancel], &[&key("ben")]);
    assert_eq!(w.proposal().status, ProposalStatus::Cancelled);
    w.chain.pass(i64::from(TIMELOCK));
    let execute = w.execute_ix("dan");
    assert!(w.chain.send(&[execute], &[&key("dan")]).is_err());
}

#[test]
fn roles_bind_proposing_voting_and_executing() {
    let only = [role::PROPOSE, role::VOTE, role::VOTE, role::VOTE, role::EXECUTE];
    let mut w = World::with_multisig(|args| {
        for member in &mut args.members {
            let at = MEMBERS.iter().position(|m| address(m) == member.key).unwrap();
            member.roles = only[at];
        }
        args.threshold = 2;
    });
    let ix = w.propose_ix("ben", w.propose_args());
    w.chain.refuse(ManagerError::RoleMissing, &[ix], &[&key("ben"), &key("payer")]);
    w.propose();
    for who in ["anna", "eve"] {
        for ix in [w.approve_ix(who), w.reject_ix(who)] {
            w.chain.refuse(ManagerError::RoleMissing, &[ix], &[&key(who)]);
        }
    }
    w.approve_by(&["ben", "chloe"]);
    let cancel = w.cancel_ix("eve");
    w.chain.refuse(ManagerError::RoleMissing, &[cancel], &[&key("eve")]);
    w.chain.pass(i64::from(TIMELOCK));
    for who in ["anna", "ben"] {
        let execute = w.execute_ix(who);
        w.chain.refuse(ManagerError::RoleMissing, &[execute], &[&key(who)]);
    }
    let execute = w.execute_ix("eve");
    w.chain.ok(&[execute], &[&key("eve")]);
}

/// Sends `vote` behind the advance of a durable nonce, as a transaction that was signed long ago.
fn with_durable_nonce(w: &mut World, vote: Instruction, voter: &str) -> SendResult {
    let (nonce, voter, fees) = (key("nonce"), key(voter), key("fees"));
    let rent = w.chain.rent(80);
    let create = create_nonce_account(&fees.pubkey(), &nonce.pubkey(), &voter.pubkey(), rent);
    w.chain.ok(&create, &[&nonce]);
    let stored: [u8; 32] = w.chain.data(&nonce.pubkey())[40..72].try_into().unwrap();
    let advance = advance_nonce_account(&nonce.pubkey(), &voter.pubkey());
    let hash = solana_hash::Hash::new_from_array(stored);
    let message = Message::new_with_blockhash(&[advance, vote], Some(&fees.pubkey()), &hash);
    w.chain.next_blockhash();
    w.chain.send_message(message, &[&fees, &voter])
}

#[test]
fn a_vote_signed_in_advance_with_a_durable_nonce_does_not_count() {
    for stage in [Stage::Proposed, Stage::Executed] {
        let mut w = World::at(stage);
        let vote = match stage {
            Stage::Proposed => w.approve_ix("anna"),
            _ => w.approve_rollback_ix("anna", false),
        };
        let refused = with_durable_nonce(&mut w, vote, "anna").unwrap_err();
        assert_eq!(refused.code(), Some(ManagerError::DurableNonce.into()), "{refused:?}");
    }
    let mut w = World::at(Stage::Proposed);
    let pause = w.pause_ix("guardian");
    w.chain.ok(&[pause], &[&key("guardian")]);
    for (wish, who) in [(w.cancel_ix("ben"), "ben"), (w.unpause_ix("ben"), "ben")] {
        let refused = with_durable_nonce(&mut w.clone(), wish, who).unwrap_err();
        assert_eq!(refused.code(), Some(ManagerError::DurableNonce.into()), "{refused:?}");
    }
    let mut w = World::with_multisig(|args| args.allow_durable_nonce = true);
    w.propose();
    let vote = w.approve_ix("anna");
    with_durable_nonce(&mut w, vote, "anna").unwrap();
    assert_eq!(w.proposal().ballot.count(Choice::Approve), 1);
}
