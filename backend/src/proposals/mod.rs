//! Everything about a proposal but its accounts: set-up before it, votes on it, execution. Verbs on a
//! proposal are plans and go through `Backend::prepare`; set-up here acts directly, for scripts that
//! have nobody to ask. For an operator, `SetupManager` shows it first.
mod execute;
mod propose;
mod setup;
pub(crate) mod votes;

pub(crate) use execute::check_archive;

use crate::{
    backend::Backend,
    error::Result,
    lookup::Scene,
    operation::{Operation, Verb},
    plan::Plan,
};

/// Makes, decides and executes proposals.
#[derive(Clone)]
pub struct ProposalManager {
    backend: Backend,
}

impl ProposalManager {
    /// Over the gateway and the key of `backend`.
    #[must_use]
    pub fn new(backend: &Backend) -> Self {
        Self { backend: backend.clone() }
    }

    pub(crate) async fn plan(&self, operation: Operation) -> Result<Plan> {
        let scene = Scene::load(self.backend.gateway(), operation.proposal).await?;
        match operation.verb {
            Verb::Execute => self.plan_execute(&scene).await,
            verb => Ok(self.plan_vote(verb, &scene)),
        }
    }
}
