//! The first step of plan, seal, submit: a plan holds what a task would do now. Facts are what the operator
//! reads; checks pass, warn or fail; pinned values must be the same when `submit` plans again. The
//! transaction is not simulated yet.
use std::sync::Arc;

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{MultisigConfig, Terms, Votable};

use crate::{
    accounts::proposal::ProposalContext,
    keys::signer::Signer,
    pipeline::{
        context::Context,
        members::{self, SignerRequirement},
    },
    preflight::{
        check::{Check, Verdict},
        fact::Fact,
        manifest::ManifestLeaf,
        operation::Verb,
        pinned::PinnedState,
        rule_check::{self, RuleResult},
        step::Step,
    },
};

/// How a plan is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// One transaction, exactly as planned.
    One,
    /// Many transactions. The job plans them again from the chain while it runs; only the first is shown.
    Job,
    /// A job whose transactions each need the one before. An account that makes the first fail makes all
    /// fail, so `seal` refuses where it only warns of a [`Self::Job`], which can go on without that account.
    Series,
}

/// What goes into the archive before the transaction of a plan is signed. Only [`Workload::One`] uses it.
#[derive(Clone)]
pub(crate) enum ArchivedFirst {
    /// Nothing.
    Nothing,
    /// The present bytes of every account that can migrate by these terms.
    Accounts(Box<Terms>),
    /// The leaves of a new proposal's manifest.
    Manifest { program: Pubkey, leaves: Vec<ManifestLeaf> },
}

/// What a task would do now.
#[derive(Clone)]
pub(crate) struct Plan {
    /// What signing does: the title and the report begin with it.
    pub step: Step,
    /// What it acts on, such as "proposal 0 of program …": title and report name it after the step.
    pub subject: String,
    /// The account that a command of `setup` makes or changes, when its address is known. The receipt calls
    /// it its subject.
    pub account: Option<Pubkey>,
    pub facts: Vec<Fact>,
    pub checks: Vec<Check>,
    pub pinned: PinnedState,
    pub workload: Workload,
    /// The transaction, or a job's first; empty when there is none to send.
    pub instructions: Vec<Instruction>,
    /// How many transactions there are to send now. A job that splits a failing batch sends more.
    pub transactions: usize,
    /// The fees, where the transactions of a job cost different ones.
    pub fees: Option<Vec<Fact>>,
    /// Keys of this plan alone that sign beside the loaded one, such as the create key of a multisig.
    pub signers: Vec<Arc<dyn Signer>>,
    /// The compute-unit limit. Without one, `seal` takes what the simulation used and a little more.
    pub unit_limit: Option<u32>,
    pub archived_first: ArchivedFirst,
}

impl Plan {
    pub(crate) fn new(step: Step, subject: impl Into<String>) -> Self {
        Self {
            step,
            subject: subject.into(),
            account: None,
            facts: vec![],
            checks: vec![],
            pinned: PinnedState::default(),
            workload: Workload::One,
            instructions: vec![],
            transactions: 1,
            fees: None,
            signers: vec![],
            unit_limit: None,
            archived_first: ArchivedFirst::Nothing,
        }
    }

    pub(crate) fn fact(&mut self, label: &str, value: impl ToString) {
        self.facts.push(Fact { label: label.into(), value: value.to_string() });
    }

    pub(crate) fn check(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// Adds `outcome`, what the program's own rule answers to this signer. A pass is left out beside a failed
    /// check: the operator would read that the chain accepts a transaction that it will refuse.
    pub(crate) fn check_accepts<T>(&mut self, outcome: &RuleResult<T>, pass: &str) {
        if outcome.is_err() || self.failed().is_none() {
            self.check(rule_check::check(outcome, pass));
        }
    }

    pub(crate) fn title(&self) -> String {
        self.step.title(&self.subject)
    }

    pub(crate) fn failed(&self) -> Option<&Check> {
        self.checks.iter().find(|c| c.verdict == Verdict::Fail)
    }
}

impl Plan {
    /// A plan for `verb` on an existing proposal, with everything that all such verbs have in common.
    pub(crate) fn for_proposal(context: &Context, verb: Verb, current: &ProposalContext) -> Self {
        let proposal = &current.proposal;
        let subject = format!("proposal {} of program {}", proposal.terms.id, current.program());
        let mut plan = Plan::new(Step::of(verb), subject);
        describe(&mut plan, current);
        plan.facts.extend(members::vote_facts(&current.multisig, proposal));
        check_signer(&mut plan, context, &current.multisig, members::needs(verb));
        let (made_for, here) = (proposal.terms.genesis_hash, context.chain().genesis_hash());
        plan.check(check_genesis(made_for, here));
        plan.check(check_digest(proposal.terms.digest().ok(), proposal.digest));
        plan.pinned.pin("the digest", hex::encode(proposal.digest));
        plan.pinned.pin("the proposal's status", proposal.status.name());
        plan.pinned.pin("the program's phase", current.state.phase.name());
        plan.pinned.pin("the code that runs", hex::encode(current.state.elf_hash));
        plan
    }

    /// Checks that the signer has the role `bits`. For a verb whose steps need different roles, such as a
    /// rollback; [`check_signer`] checks a role that every step of the verb needs.
    pub(crate) fn check_role(
        &mut self,
        current: &ProposalContext,
        signer: Option<Pubkey>,
        bits: u8,
    ) {
        if let Some(signer) = signer {
            self.check(members::check_role(&current.multisig, &signer, bits));
        }
    }
}

fn describe(plan: &mut Plan, current: &ProposalContext) {
    let (proposal, terms) = (&current.proposal, &current.proposal.terms);
    plan.fact("Proposal", current.address);
    plan.fact("Status", proposal.status.name());
    plan.fact("Program", terms.program);
    plan.fact("Multisig", terms.multisig);
    plan.fact("Digest", hex::encode(proposal.digest));
    plan.fact("Version", format!("{} to {}", terms.from_version, terms.to_version));
    plan.fact("New code, sha256", hex::encode(terms.upgrade.sha256));
    plan.fact("New code, buffer", terms.upgrade.buffer);
    plan.fact("Old code, sha256", hex::encode(terms.rollback.sha256));
    plan.fact("Old code, buffer", terms.rollback.buffer);
    plan.fact("Surplus lamports to", terms.spill);
    plan.fact("Accounts in manifest", terms.manifest.count);
    plan.fact("Manifest root", hex::encode(terms.manifest.root));
    plan.fact("Proposer", proposal.proposer);
    let source = &terms.source;
    for (label, value) in
        [("Source", &source.link), ("Commit", &source.commit), ("Build image", &source.image)]
    {
        if !value.is_empty() {
            plan.fact(label, value);
        }
    }
}

/// Checks that a key is loaded and has the role that the verb needs.
pub(crate) fn check_signer(
    plan: &mut Plan,
    context: &Context,
    config: &MultisigConfig,
    needs: SignerRequirement,
) {
    let Some(signer) = context.signer() else {
        plan.check(Check::fail("No key is loaded; start with --keypair to sign."));
        return;
    };
    plan.fact("Signer", signer);
    if let SignerRequirement::Role(bits) = needs {
        plan.check(members::check_role(config, &signer, bits));
    }
}

/// Checks that the proposal's genesis hash `made_for` is that of this cluster, `genesis`.
pub(crate) fn check_genesis(made_for: [u8; 32], genesis: [u8; 32]) -> Check {
    Check::when(
        made_for == genesis,
        "The proposal was made for this cluster.",
        format!(
            "The proposal names the cluster with genesis {}, but this one has {}: do not sign.",
            solana_hash::Hash::new_from_array(made_for),
            solana_hash::Hash::new_from_array(genesis)
        ),
    )
}

/// Checks that the digest `computed` here from the terms equals the one `stored` with them.
pub(crate) fn check_digest(computed: Option<[u8; 32]>, stored: [u8; 32]) -> Check {
    Check::when(
        computed == Some(stored),
        "The digest, computed here from the terms, equals the proposal's.",
        "The digest computed here from the terms differs from the proposal's: the node or the \
         account lies. Do not sign.",
    )
}

/// Checks that the multisig has not changed since the proposal was made.
pub(crate) fn check_fresh(proposal: &impl Votable, config: &MultisigConfig) -> Check {
    Check::when(
        proposal.require_fresh(config).is_ok(),
        "The multisig has not changed since the proposal was made.",
        "The multisig has changed since the proposal was made: it is stale. Propose again.",
    )
}

/// Adds the migration counters as a fact.
pub(crate) fn counters(plan: &mut Plan, current: &ProposalContext) {
    let c = &current.state.counters;
    plan.fact(
        "Accounts",
        format!(
            "{} in the manifest: {} migrated, {} verified, {} restored, {} quarantined, {} closed",
            c.total, c.migrated, c.verified, c.restored, c.quarantined, c.closed
        ),
    );
}

/// Checks that the new code can be called in this slot: the loader lets a program be called only from the
/// slot after its installation. This only warns, because the first batch waits for that slot.
pub(crate) fn check_callable(current: &ProposalContext) -> Check {
    if current.state.require_callable(current.now.slot).is_ok() {
        return Check::pass("The code was not installed in this slot, so it can be called.");
    }
    Check::warn("The code was installed in this very slot; the first batch waits for the next one.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepting_rule_is_left_out_beside_a_failed_check() {
        let mut plan = Plan::new(Step::of(Verb::Approve), "proposal 0");
        plan.check(Check::fail("The signer is not a member."));
        plan.check_accepts(&Ok(()), "The chain's rules accept this from this signer.");
        assert_eq!(plan.checks.len(), 1, "{:?}", plan.checks);
        let mut plan = Plan::new(Step::of(Verb::Approve), "proposal 0");
        plan.check_accepts(&Ok(()), "The chain's rules accept this from this signer.");
        assert_eq!(plan.checks.first().map(|c| c.verdict), Some(Verdict::Pass));
    }
}
