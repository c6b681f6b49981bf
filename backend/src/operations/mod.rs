//! The operator's side of the backend. `prepare` has the verb's module make a plan and shows it; `submit`
//! has the plan made again from the chain and signs only when it equals the one that was shown.
use std::sync::{Arc, PoisonError, RwLock};

use solana_pubkey::Pubkey;
use tokio::sync::mpsc;

use crate::{
    accounts::governance::is_governance,
    archive::Archive,
    chain::client::ChainClient,
    error::{BackendError, Result},
    keys::signer::Signer,
    migration::MigrationManager,
    multisig::MultisigCoordinator,
    pipeline::{
        context::Context, plan::Plan, reporter::Reporter, seal::seal, submit::submit, task::Task,
    },
    preflight::{
        Preflight,
        intent::{Intent, ProposalTask},
        operation::{Operation, ProposeRequest, Verb},
        progress::Progress,
        receipt::Receipt,
    },
    proposals::ProposalManager,
    rollback::RollbackHandler,
};

struct Shared {
    chain: ChainClient,
    archive: Arc<dyn Archive>,
    signer: RwLock<Option<Arc<dyn Signer>>>,
    cosigner: RwLock<Option<Arc<dyn Signer>>>,
}

/// One client of the chain, one archive, and the loaded keys. Clones share them.
#[derive(Clone)]
pub struct Backend {
    inner: Arc<Shared>,
}

impl Backend {
    /// Without a signer everything can be prepared and nothing submitted.
    #[must_use]
    pub fn new(
        chain: ChainClient,
        archive: Arc<dyn Archive>,
        signer: Option<Arc<dyn Signer>>,
    ) -> Self {
        let (signer, cosigner) = (RwLock::new(signer), RwLock::new(None));
        Self { inner: Arc::new(Shared { chain, archive, signer, cosigner }) }
    }

    /// Address of the loaded key.
    #[must_use]
    pub fn signer(&self) -> Option<Pubkey> {
        self.key().map(|s| s.pubkey())
    }

    /// Loads another key, or none. Intents of the previous key are refused from now on; a job that is
    /// running goes on with the key it began with.
    pub fn set_signer(&self, signer: Option<Arc<dyn Signer>>) {
        *self.inner.signer.write().unwrap_or_else(PoisonError::into_inner) = signer;
    }

    /// Address of the key that signs beside the loaded one where a second signature is needed.
    #[must_use]
    pub fn cosigner(&self) -> Option<Pubkey> {
        self.second().map(|s| s.pubkey())
    }

    /// Loads a key for transactions that need a second signature, or none.
    pub fn set_cosigner(&self, signer: Option<Arc<dyn Signer>>) {
        *self.inner.cosigner.write().unwrap_or_else(PoisonError::into_inner) = signer;
    }

    fn second(&self) -> Option<Arc<dyn Signer>> {
        self.inner.cosigner.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a manager works with: the chain, the archive, and the keys that are loaded now.
    #[must_use]
    pub fn context(&self) -> Context {
        let Shared { chain, archive, .. } = &*self.inner;
        Context::new(chain.clone(), Arc::clone(archive), self.key(), self.second())
    }

    /// The client of the chain.
    #[must_use]
    pub fn chain(&self) -> &ChainClient {
        &self.inner.chain
    }

    /// The archive of old bytes.
    #[must_use]
    pub fn archive(&self) -> &Arc<dyn Archive> {
        &self.inner.archive
    }

    fn key(&self) -> Option<Arc<dyn Signer>> {
        self.inner.signer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the chain, checks, builds and simulates. Signs nothing.
    ///
    /// # Errors
    /// The network's, or what is wrong with an account. A check that fails is part of the answer.
    pub async fn prepare(&self, operation: Operation) -> Result<Preflight> {
        let context = self.context();
        let plan = plan(&context, operation).await?;
        shown(&context, plan, ProposalTask { operation, request: None }).await
    }

    /// The same for a new proposal: also scans the program's accounts for the manifest.
    ///
    /// # Errors
    /// As [`Backend::prepare`].
    pub async fn prepare_propose(&self, request: ProposeRequest) -> Result<Preflight> {
        let context = self.context();
        let (plan, task) = ProposalManager::new(&context).plan_propose(request).await?;
        shown(&context, plan, task).await
    }

    /// Plans again from the chain, refuses when anything that was shown has changed, signs, sends
    /// and confirms. Long jobs run to the end and can be started again after any interruption.
    ///
    /// # Errors
    /// [`BackendError::Changed`] and [`BackendError::Refused`] before anything is signed; else what
    /// stopped the work. What failed on single accounts is in the receipt.
    pub async fn submit(
        &self,
        intent: Intent,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<Receipt> {
        submit(&self.context(), intent, progress).await
    }
}

/// What the operator sees of `plan`.
async fn shown(context: &Context, plan: Plan, task: ProposalTask) -> Result<Preflight> {
    let Operation { verb, proposal } = task.operation;
    let sealed = seal(context, plan, task).await?;
    Ok(Preflight {
        verb,
        proposal,
        step: sealed.step,
        title: sealed.title,
        facts: sealed.facts,
        checks: sealed.checks,
        simulation: sealed.simulation,
        transactions: sealed.transactions,
        intent: sealed.intent,
    })
}

impl Task for ProposalTask {
    async fn plan(&self, context: &Context) -> Result<Plan> {
        match &self.request {
            Some(frozen) => ProposalManager::new(context).replan_propose(frozen).await,
            None => plan(context, self.operation).await,
        }
    }

    async fn run(
        &self,
        context: &Context,
        _: &Plan,
        key: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Receipt> {
        let Operation { verb, proposal } = self.operation;
        if matches!(verb, Verb::RollBack { .. }) {
            RollbackHandler::new(context).run(verb, proposal, key, reporter).await
        } else {
            MigrationManager::new(context).run(verb, proposal, key, reporter).await
        }
    }
}

/// The plan of `operation`, made by the manager of its verb.
async fn plan(context: &Context, operation: Operation) -> Result<Plan> {
    match operation.verb {
        Verb::Propose => Err(BackendError::Refused(
            "a proposal is prepared from a request, not from an address.".into(),
        )),
        Verb::Approve
        | Verb::Reject
        | Verb::Revoke
        | Verb::Cancel
        | Verb::Expire
        | Verb::Execute => {
            let first = context.chain().account(&operation.proposal).await?;
            if is_governance(first.as_ref()) {
                MultisigCoordinator::new(context).plan(operation, first.as_ref()).await
            } else {
                ProposalManager::new(context).plan(operation, first.as_ref()).await
            }
        }
        Verb::Migrate | Verb::Verify | Verb::Quarantine { .. } => {
            MigrationManager::new(context).plan(operation).await
        }
        Verb::RollBack { give_up } => {
            RollbackHandler::new(context).plan(operation.proposal, give_up).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Screens spawn this work on other threads, so it must be `Send`.
    #[test]
    fn submit_is_send_and_backend_is_sync() {
        fn movable<T: Send>(_: fn(Backend, Intent) -> T) {}
        movable(|backend, intent| async move { backend.submit(intent, None).await.map(drop) });
        fn shared<T: Send + Sync + Clone>() {}
        shared::<Backend>();
    }
}
