//! The operator's side of the backend: prepare shows, submit does. Submit plans again from the
//! chain and signs only what equals the plan that was shown.
use std::{
    iter::once,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use sha2::{Digest, Sha256};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::Message;
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;

use crate::{
    archive::Archive,
    error::{BackendError, Result},
    gateway::{Blame, Fee, Gateway, MAX_UNITS, Simulated, transaction_size, with_budget},
    governance,
    intent::Intent,
    migration::MigrationManager,
    operation::{Operation, ProposeRequest, Verb},
    plan::{Plan, Work},
    preflight::{Check, Preflight, Simulation},
    proposals::ProposalManager,
    receipt::{Progress, Receipt, SentTx},
    rollback::RollbackHandler,
    signer::Signer,
};

struct Inner {
    gateway: Gateway,
    archive: Arc<dyn Archive>,
    signer: RwLock<Option<Arc<dyn Signer>>>,
    cosigner: RwLock<Option<Arc<dyn Signer>>>,
}

/// One gateway, one archive and at most one key. Clones share all three.
#[derive(Clone)]
pub struct Backend {
    inner: Arc<Inner>,
}

impl Backend {
    /// Without a signer everything can be prepared and nothing submitted.
    #[must_use]
    pub fn new(
        gateway: Gateway,
        archive: Arc<dyn Archive>,
        signer: Option<Arc<dyn Signer>>,
    ) -> Self {
        let (signer, cosigner) = (RwLock::new(signer), RwLock::new(None));
        Self { inner: Arc::new(Inner { gateway, archive, signer, cosigner }) }
    }

    /// Address of the loaded key.
    #[must_use]
    pub fn signer(&self) -> Option<Pubkey> {
        self.key().map(|s| s.pubkey())
    }

    /// Loads another key, or none. Intents of the key before are refused from now on.
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

    /// The way to the chain.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.inner.gateway
    }

    /// Where old bytes are kept.
    #[must_use]
    pub fn archive(&self) -> &Arc<dyn Archive> {
        &self.inner.archive
    }

    pub(crate) fn key(&self) -> Option<Arc<dyn Signer>> {
        self.inner.signer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn require_key(&self) -> Result<Arc<dyn Signer>> {
        self.key().ok_or(BackendError::NoSigner)
    }

    /// Reads the chain, checks, builds and simulates. Signs nothing.
    ///
    /// # Errors
    /// The network's, or what is wrong with an account. A check that fails is part of the answer.
    pub async fn prepare(&self, operation: Operation) -> Result<Preflight> {
        let plan = self.plan(operation).await?;
        self.preflight(plan).await
    }

    /// The same for a new proposal: also scans the program's accounts for the manifest.
    ///
    /// # Errors
    /// As [`Backend::prepare`].
    pub async fn prepare_propose(&self, request: ProposeRequest) -> Result<Preflight> {
        let plan = ProposalManager::new(self).plan_propose(request).await?;
        self.preflight(plan).await
    }

    async fn plan(&self, operation: Operation) -> Result<Plan> {
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
                if governance::is_governance(self.gateway(), &operation.proposal).await? {
                    governance::plan(self, operation).await
                } else {
                    ProposalManager::new(self).plan(operation).await
                }
            }
            Verb::Migrate | Verb::Verify | Verb::Quarantine { .. } => {
                MigrationManager::new(self).plan(operation).await
            }
            Verb::RollBack { give_up } => {
                RollbackHandler::new(self).plan(operation.proposal, give_up).await
            }
        }
    }

    async fn preflight(&self, mut plan: Plan) -> Result<Preflight> {
        let title = plan.title();
        let mut simulation = None;
        let mut sealed = None;
        let price = self.gateway().config().unit_price;
        if let Some(payer) = self.signer()
            && !plan.instructions.is_empty()
        {
            let full = with_budget(&plan.instructions, MAX_UNITS, price);
            let simulated = self.gateway().simulate(&full, &payer).await?;
            let verdict = check_simulation(&simulated, plan.work);
            plan.check(verdict);
            let limit = plan.unit_limit.unwrap_or_else(|| simulated.unit_limit());
            let fee = Fee::of(&plan.instructions, &payer, limit, price);
            plan.check(self.check_balance(&payer, fee).await?);
            plan.facts.extend(match plan.work {
                Work::One => fee.facts(),
                // Each transaction of a job is simulated by itself and gets its unit limit from that.
                Work::Job => Fee { limit: MAX_UNITS, ..fee }.job_facts(plan.transactions),
            });
            let message = with_budget(&plan.instructions, limit, price);
            let hash = message_hash(&message, &payer);
            plan.fact("Compute units", format!("{} simulated, limit {limit}", simulated.units));
            plan.fact("Transaction size", format!("{} bytes", transaction_size(&message, &payer)));
            plan.fact("Message sha256, blockhash zero", hex::encode(hash));
            simulation = Some(Simulation {
                units: simulated.units,
                error: simulated.failure.map(|f| f.sentence),
                logs: simulated.logs,
            });
            sealed = Some((payer, hash, limit));
        } else if self.signer().is_some() && plan.work == Work::Job {
            // A job may have nothing to send for one step and still have something to settle.
            let most = Fee { signatures: 1, limit: MAX_UNITS, price };
            plan.facts.extend(most.job_facts(plan.transactions));
            sealed = self.signer().map(|payer| (payer, plan.shown.hash(), MAX_UNITS));
        }
        let intent = match sealed {
            Some((signer, message_hash, unit_limit)) if plan.failed().is_none() => Some(Intent {
                verb: plan.verb,
                proposal: plan.proposal,
                signer,
                shown: plan.shown,
                message_hash,
                unit_limit,
                unit_price: price,
                request: plan.request,
            }),
            _ => None,
        };
        Ok(Preflight {
            verb: plan.verb,
            proposal: plan.proposal,
            title,
            step: plan.step,
            facts: plan.facts,
            checks: plan.checks,
            simulation,
            transactions: plan.transactions,
            intent,
        })
    }

    /// The signer can pay `fee`.
    pub(crate) async fn check_balance(&self, payer: &Pubkey, fee: Fee) -> Result<Check> {
        let lamports = self.gateway().account(payer).await?.map_or(0, |a| a.lamports);
        let fee = fee.lamports();
        Ok(Check::when(
            lamports >= fee,
            format!("The signer holds {lamports} lamports; the fee of a transaction is {fee}."),
            format!("The signer holds {lamports} lamports, the fee is {fee}: fund {payer} first."),
        ))
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
        let key = self.require_key()?;
        if key.pubkey() != intent.signer {
            return Err(BackendError::Changed(format!(
                "the key was {} and is {} now",
                intent.signer,
                key.pubkey()
            )));
        }
        self.check_price(intent.unit_price)?;
        let plan = self.plan_again(&intent).await.map_err(BackendError::before_signing)?;
        if let Some(difference) = intent.shown.difference(&plan.shown) {
            return Err(BackendError::Changed(difference));
        }
        if let Some(check) = plan.failed() {
            return Err(BackendError::Changed(format!("a check fails now: {}", check.sentence)));
        }
        let reporter = Reporter::new(progress);
        match plan.work {
            Work::One => self.submit_one(&intent, &plan, &*key, &reporter).await,
            Work::Job => {
                let (verb, proposal) = (intent.verb, intent.proposal);
                let done = if matches!(verb, Verb::RollBack { .. }) {
                    RollbackHandler::new(self).run(verb, proposal, &*key, &reporter).await
                } else {
                    MigrationManager::new(self).run(verb, proposal, &*key, &reporter).await
                };
                done.map_err(BackendError::within_job)
            }
        }
    }

    /// The plan of `intent`, from what the chain says now.
    async fn plan_again(&self, intent: &Intent) -> Result<Plan> {
        self.gateway().recheck_genesis().await?;
        match &intent.request {
            Some(frozen) => ProposalManager::new(self).replan_propose(frozen).await,
            None => {
                let operation = Operation { verb: intent.verb, proposal: intent.proposal };
                self.plan(operation).await
            }
        }
    }

    /// What is signed costs what was shown, also after a reconnection with other settings.
    pub(crate) fn check_price(&self, shown: u64) -> Result<()> {
        let now = self.gateway().config().unit_price;
        if shown == now {
            return Ok(());
        }
        Err(BackendError::Changed(format!(
            "the priority fee was {shown} and is {now} micro-lamports per compute unit now"
        )))
    }

    /// Keeps what the step of `plan` will make unreadable, before it is signed.
    async fn archive_before(&self, intent: &Intent, plan: &Plan) -> Result<()> {
        let migration = MigrationManager::new(self);
        match intent.verb {
            Verb::Execute if plan.archives => migration.archive_all(intent.proposal).await,
            Verb::Propose => migration.archive_manifest(intent).await,
            _ => Ok(()),
        }
    }

    async fn submit_one(
        &self,
        intent: &Intent,
        plan: &Plan,
        key: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Receipt> {
        let price = self.gateway().config().unit_price;
        let message = with_budget(&plan.instructions, intent.unit_limit, price);
        if message_hash(&message, &intent.signer) != intent.message_hash {
            return Err(BackendError::Changed("the transaction is not the one shown".into()));
        }
        let again = self.gateway().simulate(&message, &intent.signer).await;
        let again = again.map_err(BackendError::before_signing)?;
        if let Some(failure) = again.failure.filter(|f| f.blame != Blame::Slot) {
            return Err(BackendError::Changed(format!("the simulation fails now: {failure}")));
        }
        self.archive_before(intent, plan).await.map_err(BackendError::before_signing)?;
        reporter.sending().await;
        let what = plan.step.name;
        let second = self.second().filter(|s| is_signed_by(&message, s.pubkey(), key.pubkey()));
        let signers: Vec<&dyn Signer> = once(key).chain(second.as_deref()).collect();
        let landed = self.send_patiently(what, &message, &signers, Some(again.units)).await?;
        reporter.sent(&landed.sent).await;
        let failures = landed.failure.map(|f| f.sentence).into_iter().collect::<Vec<_>>();
        let summary = match failures.first() {
            None => plan.step.report(&plan.subject, landed.sent.slot),
            Some(reason) => format!("{} failed on chain: {reason}", plan.title()),
        };
        Ok(Receipt { sent: vec![landed.sent], summary, failures })
    }
}

/// Whether `message` needs the signature of `second` beside that of `first`.
fn is_signed_by(message: &[Instruction], second: Pubkey, first: Pubkey) -> bool {
    let metas = message.iter().flat_map(|ix| &ix.accounts);
    second != first && metas.into_iter().any(|m| m.is_signer && m.pubkey == second)
}

pub(crate) fn check_simulation(simulated: &Simulated, work: Work) -> Check {
    let Some(failure) = &simulated.failure else {
        return Check::pass("The node's simulation succeeds.");
    };
    match (failure.blame, work) {
        (Blame::Slot, _) => {
            Check::warn(format!("The node's simulation fails in this slot: {failure}"))
        }
        (Blame::Account, Work::Job) => Check::warn(format!(
            "The first batch would fail: {failure} Batches that fail are split until the account \
             stands alone and is named; the others go on."
        )),
        _ => Check::fail(format!("The node's simulation fails: {failure}")),
    }
}

/// sha256 of the message over `instructions` with its blockhash left zero.
pub(crate) fn message_hash(instructions: &[Instruction], payer: &Pubkey) -> [u8; 32] {
    let message = Message::new_with_blockhash(instructions, Some(payer), &Hash::default());
    Sha256::digest(message.serialize()).into()
}

/// Longest wait for a listener that does not listen; the receipt holds everything anyway.
const LISTENER: Duration = Duration::from_secs(2);

/// Tells whoever listens how far the work is; nobody has to, and nobody can stop it by not
/// listening.
pub(crate) struct Reporter(Option<mpsc::Sender<Progress>>);

impl Reporter {
    pub(crate) fn new(listener: Option<mpsc::Sender<Progress>>) -> Self {
        Self(listener)
    }

    /// A step that finds no room is left out: the next one says more.
    pub(crate) fn step(&self, label: &str, done: u64, total: u64, failed: u64) {
        if let Some(listener) = &self.0 {
            let news = Progress::Step { label: label.into(), done, total, failed };
            let _ = listener.try_send(news);
        }
    }

    /// The last check has passed: from here on something may be signed.
    pub(crate) async fn sending(&self) {
        if let Some(listener) = &self.0 {
            let _ = listener.send_timeout(Progress::Sending, LISTENER).await;
        }
    }

    pub(crate) async fn sent(&self, sent: &SentTx) {
        if let Some(listener) = &self.0 {
            let _ = listener.send_timeout(Progress::Sent(sent.clone()), LISTENER).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Screens spawn this work on other threads; it must be allowed to move there.
    #[test]
    fn the_work_can_move_between_threads() {
        fn movable<T: Send>(_: fn(Backend, Intent) -> T) {}
        movable(|backend, intent| async move { backend.submit(intent, None).await.map(drop) });
        fn shared<T: Send + Sync + Clone>() {}
        shared::<Backend>();
    }
}
