//! Votes, cancellation, expiry. The chain's own rules run here on a copy of the proposal, so the
//! preflight knows what will follow.
use upgrade_manager::state::{Choice, Course, ProposalStatus};

use super::ProposalManager;
use crate::{
    instructions::{self, ProposalKeys},
    lookup::Scene,
    multisig::{self, MultisigCoordinator},
    operation::Verb,
    plan::{self, Plan},
    preflight::Check,
    timelock::span,
    words,
};

impl ProposalManager {
    pub(crate) fn plan_vote(&self, verb: Verb, scene: &Scene) -> Plan {
        let mut plan = plan::on_scene(&self.backend, verb, scene);
        multisig::pin_votes(scene, &mut plan.shown);
        let cancels = scene.proposal.ballot.cancel.len();
        plan.shown.pin("the number of votes to cancel", cancels);
        if verb == Verb::Expire {
            let over = scene.proposal.require_expired(&scene.multisig, scene.now.unix);
            plan.check(words::rule(&over, "The proposal's time is over."));
        } else {
            plan.check(check_time(scene, verb));
            if verb != Verb::Cancel {
                plan.check(plan::check_fresh(scene));
            }
        }
        let Some(signer) = self.backend.signer() else { return plan };
        let keys = ProposalKeys::from(&scene.proposal);
        let digest = scene.proposal.digest;
        let mut after = scene.proposal.clone();
        let now = (scene.now.unix, scene.now.slot);
        let (outcome, instruction) = match verb {
            Verb::Approve => (
                after.cast(signer, Choice::Approve, &scene.multisig, now),
                instructions::approve(&signer, &keys, digest),
            ),
            Verb::Reject => (
                after.cast(signer, Choice::Reject, &scene.multisig, now),
                instructions::reject(&signer, &keys, digest),
            ),
            Verb::Revoke => {
                (after.revoke(&signer, &scene.multisig, now), instructions::revoke(&signer, &keys))
            }
            Verb::Cancel => {
                (after.cancel(signer, &scene.multisig), instructions::cancel(&signer, &keys))
            }
            _ => (Ok(()), instructions::expire(&keys)),
        };
        if verb != Verb::Expire {
            plan.check(words::rule(&outcome, "The chain's rules accept this from this signer."));
            if outcome.is_ok() {
                plan.fact("What follows", consequence(scene, &after));
            }
        }
        plan.instructions = vec![instruction];
        plan
    }
}

fn check_time(scene: &Scene, verb: Verb) -> Check {
    let now = scene.now.unix;
    if verb == Verb::Cancel && scene.proposal.status.is_voting() {
        return Check::pass("The proposal is not executed yet: it can be cancelled.");
    }
    match scene.proposal.require_voting(now) {
        Ok(()) => Check::pass(format!(
            "The proposal is open for another {}.",
            span(scene.proposal.deadline().saturating_sub(now))
        )),
        Err(error) => Check::fail(words::sentence(&error)),
    }
}

fn consequence(scene: &Scene, after: &upgrade_manager::state::UpgradeProposal) -> String {
    let standing = MultisigCoordinator::standing(&scene.multisig, after);
    match (scene.proposal.status, after.status) {
        (ProposalStatus::Active, ProposalStatus::Timelocked) => format!(
            "The proposal is approved and the timelock of {} starts ({standing}).",
            span(i64::from(scene.multisig.timelock))
        ),
        (ProposalStatus::Timelocked, ProposalStatus::Active) => {
            format!(
                "The approval falls below the threshold and the timelock is reset ({standing})."
            )
        }
        (_, ProposalStatus::Rejected) => format!("The proposal is rejected ({standing})."),
        (_, ProposalStatus::Cancelled) => "The proposal is cancelled.".into(),
        _ if after.ballot.cancel.len() > scene.proposal.ballot.cancel.len() => format!(
            "{} of {} votes to cancel.",
            after.ballot.cancel.len(),
            scene.multisig.threshold
        ),
        _ => standing,
    }
}
