//! Votes, cancellation and expiry of a proposal of either kind. The chain's own rules run here on a copy
//! of the proposal, so the preflight tells what the vote will lead to.
use upgrade_manager::state::{Choice, MultisigConfig, Votable};

use crate::{
    chain::read::ChainTime,
    instructions::{self, Voted, with_squads},
    pipeline::{
        context::Context,
        plan::{self, Plan},
    },
    preflight::{check::Check, operation::Verb, rule_check, step::Step, text::span},
};

/// Adds the checks and the instruction of `verb`, a vote on `proposal`.
pub(crate) fn add<P: Votable + Voted + Clone>(
    plan: &mut Plan,
    context: &Context,
    verb: Verb,
    proposal: &P,
    config: &MultisigConfig,
    now: ChainTime,
) {
    plan.pinned.pin("the number of votes to cancel", proposal.ballot().cancel.len());
    if verb == Verb::Expire {
        let over = proposal.require_expired(config, now.unix);
        plan.check(rule_check::check(
            &over,
            "The proposal's time is over, or its multisig has changed.",
        ));
    } else {
        plan.check(check_time(proposal, verb, now.unix));
        if verb != Verb::Cancel {
            plan.check(plan::check_fresh(proposal, config));
        }
    }
    let Some(signer) = context.signer() else { return };
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
        // `outcome` is the ballot's rule alone, which a signer without the role passes too. So the step says
        // what the vote changes only when every check before it has passed.
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
        Err(error) => Check::fail(rule_check::sentence(&error)),
    }
}
