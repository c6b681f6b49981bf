//! Votes, cancellation, expiry. The chain's own rules run here on a copy of the proposal, so the
//! preflight knows what will follow.
use upgrade_manager::state::{Choice, MultisigConfig, Votable};

use super::ProposalManager;
use crate::{
    backend::Backend,
    gateway::ChainTime,
    instructions::{self, Voted, with_squads},
    lookup::Scene,
    multisig,
    operation::Verb,
    plan::{self, Plan},
    preflight::Check,
    step::Step,
    timelock::span,
    words,
};

impl ProposalManager {
    pub(crate) fn plan_vote(&self, verb: Verb, scene: &Scene) -> Plan {
        let mut plan = plan::on_scene(&self.backend, verb, scene);
        multisig::pin_votes(&scene.proposal, &scene.multisig, &mut plan.shown);
        add(&mut plan, &self.backend, &scene.proposal, &scene.multisig, scene.now);
        plan
    }
}

/// Adds to `plan` what its verb, a vote, would do to `proposal`, which may be of either kind.
pub(crate) fn add<P: Votable + Voted + Clone>(
    plan: &mut Plan,
    backend: &Backend,
    proposal: &P,
    config: &MultisigConfig,
    now: ChainTime,
) {
    let verb = plan.verb;
    plan.shown.pin("the number of votes to cancel", proposal.ballot().cancel.len());
    if verb == Verb::Expire {
        let over = proposal.require_expired(config, now.unix);
        plan.check(words::rule(&over, "The proposal's time is over, or its multisig has changed."));
    } else {
        plan.check(check_time(proposal, verb, now.unix));
        if verb != Verb::Cancel {
            plan.check(plan::check_fresh(proposal, config));
        }
    }
    let Some(signer) = backend.signer() else { return };
    let (keys, digest) = (proposal.voted(), *proposal.voted_digest());
    let mut after = proposal.clone();
    let at = (now.unix, now.slot);
    let (outcome, instruction) = match verb {
        Verb::Approve => (
            after.cast(signer, Choice::Approve, config, at),
            instructions::approve(&signer, &keys, digest),
        ),
        Verb::Reject => (
            after.cast(signer, Choice::Reject, config, at),
            instructions::reject(&signer, &keys, digest),
        ),
        Verb::Revoke => (after.revoke(&signer, config, at), instructions::revoke(&signer, &keys)),
        Verb::Cancel => (after.cancel(signer, config), instructions::cancel(&signer, &keys)),
        _ => (Ok(()), instructions::expire(&keys)),
    };
    if verb != Verb::Expire {
        plan.check_accepts(&outcome, "The chain's rules accept this from this signer.");
        // What signing would do is told only where it would: the rule of the vote does not look at roles.
        if outcome.is_ok() && plan.failed().is_none() {
            let withdrawn = signer == proposal.proposer() && proposal.ballot().votes.is_empty();
            let vetoes = !withdrawn && config.guardian == Some(signer);
            plan.step = Step::on_ballot(verb, (proposal, &after), config, vetoes);
        }
    }
    plan.instructions = vec![with_squads(instruction, config)];
}

fn check_time(proposal: &impl Votable, verb: Verb, now: i64) -> Check {
    if verb == Verb::Cancel && proposal.voting_state().status.is_voting() {
        return Check::pass("The proposal is not executed yet: it can be cancelled.");
    }
    match proposal.require_voting(now) {
        Ok(()) => Check::pass(format!(
            "The proposal is open for another {}.",
            span(proposal.deadline().saturating_sub(now))
        )),
        Err(error) => Check::fail(words::sentence(&error)),
    }
}
