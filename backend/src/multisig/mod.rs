//! Proposals that change a multisig or hand a program over. They take the same verbs for votes and
//! execution as upgrades. `setup::governance` makes them.
pub(crate) mod changes;
mod execute;
mod plan;
pub(crate) mod rules;

use crate::{
    accounts::governance::GovernanceContext,
    chain::read::RawAccount,
    error::Result,
    pipeline::{context::Context, plan::Plan, votes},
    preflight::operation::{Operation, Verb},
};

/// Plans votes on such proposals and their execution.
#[derive(Clone)]
pub struct MultisigCoordinator {
    context: Context,
}

impl MultisigCoordinator {
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
        let current = GovernanceContext::load_after(chain, operation.proposal, first).await?;
        match operation.verb {
            Verb::Execute => execute::plan(&self.context, &current).await,
            verb => Ok(self.plan_vote(verb, &current)),
        }
    }

    fn plan_vote(&self, verb: Verb, current: &GovernanceContext) -> Plan {
        let mut plan = plan::for_governance(&self.context, verb, current);
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
