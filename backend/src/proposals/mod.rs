//! Everything about a proposal but its accounts: set-up before it, votes on it, execution. Verbs on a
//! proposal are plans and go through `Context::prepare`; set-up here acts directly, for scripts that
//! have nobody to ask. For an operator, `SetupManager` shows it first.
mod execute;
mod propose;
mod setup;

use crate::{
    accounts::proposal::ProposalContext,
    error::Result,
    pipeline::{context::Context, members, plan::Plan, votes},
    preflight::operation::{Operation, Verb},
};

/// Makes, decides and executes proposals.
#[derive(Clone)]
pub struct ProposalManager {
    context: Context,
}

impl ProposalManager {
    /// Over the chain and the keys of `context`.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self { context: context.clone() }
    }

    pub(crate) async fn plan(&self, operation: Operation) -> Result<Plan> {
        let current = ProposalContext::load(self.context.chain(), operation.proposal).await?;
        match operation.verb {
            Verb::Execute => self.plan_execute(&current).await,
            verb => Ok(self.plan_vote(verb, &current)),
        }
    }

    fn plan_vote(&self, verb: Verb, current: &ProposalContext) -> Plan {
        let mut plan = Plan::for_proposal(&self.context, verb, current);
        members::pin_votes(&current.proposal, &current.multisig, &mut plan.pinned);
        votes::add(&mut plan, &self.context, &current.proposal, &current.multisig, current.now);
        plan
    }
}
