//! The facts, checks and pinned values of every verb on a proposal that changes a multisig.
use crate::{
    accounts::governance::GovernanceContext,
    multisig::changes::action_facts,
    pipeline::{
        context::Context,
        members::{self, needs},
        plan::{self, Plan},
    },
    preflight::{operation::Verb, step::Step},
};

/// A plan for `verb` with everything that all verbs on such a proposal have in common.
pub(super) fn for_governance(context: &Context, verb: Verb, current: &GovernanceContext) -> Plan {
    let (proposal, terms) = (&current.proposal, &current.proposal.terms);
    let subject = format!("multisig proposal {} of {}", terms.id, terms.multisig);
    let mut plan = Plan::new(Step::of(verb), subject);
    plan.fact("Proposal", current.address);
    plan.fact("Status", proposal.status.name());
    plan.fact("Multisig", terms.multisig);
    plan.fact("Digest", hex::encode(proposal.digest));
    plan.facts.extend(action_facts(&terms.action, &current.multisig));
    if !terms.note.is_empty() {
        plan.fact("Note", &terms.note);
    }
    plan.fact("Proposer", proposal.proposer);
    plan.facts.extend(members::vote_facts(&current.multisig, proposal));
    plan::check_signer(&mut plan, context, &current.multisig, needs(verb));
    plan.check(plan::check_genesis(terms.genesis_hash, context.chain().genesis_hash()));
    plan.check(plan::check_digest(terms.digest().ok(), proposal.digest));
    plan.pinned.pin("the digest", hex::encode(proposal.digest));
    plan.pinned.pin("the proposal's status", proposal.status.name());
    members::pin_votes(proposal, &current.multisig, &mut plan.pinned);
    plan
}
