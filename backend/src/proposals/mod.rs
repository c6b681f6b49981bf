//! Proposals to upgrade a program: making them, votes on them, execution.
mod execute;
mod propose;

use crate::{
    accounts::proposal::ProposalContext,
    chain::read::RawAccount,
    error::Result,
    pipeline::{context::Context, members, plan::Plan, votes},
    preflight::operation::{Operation, Verb},
};

/// Plans new proposals, votes on them, and their execution.
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

    /// What `operation` would do. `first` is the proposal's account, as it was read to tell its kind.
    pub(crate) async fn plan(
        &self,
        operation: Operation,
        first: Option<&RawAccount>,
    ) -> Result<Plan> {
        let chain = self.context.chain();
        let current = ProposalContext::load_after(chain, operation.proposal, first).await?;
        match operation.verb {
            Verb::Execute => self.plan_execute(&current).await,
            verb => Ok(self.plan_vote(verb, &current)),
        }
    }

    fn plan_vote(&self, verb: Verb, current: &ProposalContext) -> Plan {
        let mut plan = Plan::for_proposal(&self.context, verb, current);
        members::pin_votes(&current.proposal, &current.multisig, &mut plan.pinned);
        votes::add(
            &mut plan,
            &self.context,
            verb,
            &current.proposal,
            &current.multisig,
            current.now,
        );
        plan
    }
}
