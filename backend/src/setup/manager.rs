//! The set-up commands. Each becomes a task, which goes through the pipeline as a verb on a proposal does:
//! it is planned, shown, and planned again from the chain before it is signed.
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::state::{BufferRole, MultisigRules, ProgramUpgradeState};

use crate::{
    accounts,
    error::{BackendError, Result},
    multisig::changes::MultisigChange,
    pipeline::{context::Context, plan::Plan, seal::seal, submit::submit, task::Task},
    preflight::{
        Simulation,
        check::{Check, Verdict},
        fact::Fact,
        intent::Intent,
        progress::Progress,
        receipt::Receipt,
        step::Step,
    },
    setup::{
        governance::MultisigProposalRequest,
        task::{FrozenNote, SetupTask},
        upload::UploadRequest,
    },
};

/// Everything an operator sees before set-up is signed.
pub struct SetupPreflight {
    /// The command's name, the same in print and in JSON.
    pub verb: &'static str,
    /// What signing does, when the verb does not tell whether it is a vote or the act itself.
    pub step: Option<Step>,
    /// The title of the dialog.
    pub title: String,
    /// The account that is made or changed, when its address is known before signing.
    pub subject: Option<Pubkey>,
    /// Exactly what will be signed.
    pub facts: Vec<Fact>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// The simulation of the first transaction.
    pub simulation: Option<Simulation>,
    /// Transactions that will be sent, as far as can be told now.
    pub transactions: usize,
    intent: Option<Intent<SetupTask>>,
}

impl SetupPreflight {
    /// The first check that failed.
    #[must_use]
    pub fn failed(&self) -> Option<&Check> {
        self.checks.iter().find(|c| c.verdict == Verdict::Fail)
    }
}

/// Prepares and carries out everything before a proposal and after its end.
#[derive(Clone)]
pub struct SetupManager {
    pub(super) context: Context,
}

impl SetupManager {
    /// Over the chain and the keys of `context`.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self { context: context.clone() }
    }

    /// Prepares a multisig; the loaded key pays. Its address is new at every call.
    ///
    /// # Errors
    /// The network's. A rule that does not hold is a failed check.
    pub async fn multisig(&self, rules: MultisigRules) -> Result<SetupPreflight> {
        self.prepare(SetupTask::create_multisig(rules)).await
    }

    /// Prepares a proposal of new rules for `multisig`.
    ///
    /// # Errors
    /// The network's, or a change that cannot be applied.
    pub async fn propose_change(
        &self,
        multisig: &Pubkey,
        change: &MultisigChange,
        request: MultisigProposalRequest,
    ) -> Result<SetupPreflight> {
        let (multisig, change, note) = (*multisig, change.clone(), self.frozen(request).await?);
        self.prepare(SetupTask::ProposeChange { multisig, change, note }).await
    }

    /// Prepares a proposal to end `multisig`.
    ///
    /// # Errors
    /// The network's.
    pub async fn propose_dissolve(
        &self,
        multisig: &Pubkey,
        request: MultisigProposalRequest,
    ) -> Result<SetupPreflight> {
        let (multisig, note) = (*multisig, self.frozen(request).await?);
        self.prepare(SetupTask::ProposeDissolve { multisig, note }).await
    }

    /// Prepares a proposal to hand the upgrade authority of `program` to `new_authority`.
    ///
    /// # Errors
    /// The network's, or that the program is not registered.
    pub async fn propose_transfer(
        &self,
        program: &Pubkey,
        new_authority: &Pubkey,
        request: MultisigProposalRequest,
    ) -> Result<SetupPreflight> {
        let (program, new_authority) = (*program, *new_authority);
        let note = self.frozen(request).await?;
        self.prepare(SetupTask::ProposeTransfer { program, new_authority, note }).await
    }

    /// Prepares the guardian's pause of `multisig`.
    ///
    /// # Errors
    /// The network's.
    pub async fn pause(&self, multisig: &Pubkey) -> Result<SetupPreflight> {
        self.prepare(SetupTask::Pause { multisig: *multisig }).await
    }

    /// Prepares a vote to lift the pause of `multisig`.
    ///
    /// # Errors
    /// The network's.
    pub async fn unpause(&self, multisig: &Pubkey) -> Result<SetupPreflight> {
        self.prepare(SetupTask::Unpause { multisig: *multisig }).await
    }

    /// Prepares to hand the upgrade authority of `program`, which the loaded key must hold, to the
    /// manager; `version` is what its accounts have now.
    ///
    /// # Errors
    /// The network's, or what is wrong with an account.
    pub async fn register(
        &self,
        program: &Pubkey,
        multisig: &Pubkey,
        version: u16,
    ) -> Result<SetupPreflight> {
        let (program, multisig) = (*program, *multisig);
        self.prepare(SetupTask::Register { program, multisig, version }).await
    }

    /// Prepares to make ProgramData of `program` larger by at least `bytes`. The loaded key pays;
    /// no role is needed.
    ///
    /// # Errors
    /// The network's, or what is wrong with an account.
    pub async fn extend(&self, program: &Pubkey, bytes: u32) -> Result<SetupPreflight> {
        self.prepare(SetupTask::Extend { program: *program, bytes }).await
    }

    /// Prepares an upload; the loaded key pays and holds the buffer. Makes no key file.
    ///
    /// # Errors
    /// The network's, the key file's, or why a buffer that exists cannot be used.
    pub async fn upload(&self, request: UploadRequest) -> Result<SetupPreflight> {
        self.prepare(SetupTask::Upload(Box::new(request))).await
    }

    /// Prepares to freeze `buffer`, which the loaded key must hold, for `program` and to attest its hash, in
    /// one transaction. A buffer that is frozen already is only attested; one above 2 MiB takes a transaction
    /// for each chunk.
    ///
    /// # Errors
    /// The network's, or what is wrong with an account.
    pub async fn freeze(
        &self,
        buffer: &Pubkey,
        program: &Pubkey,
        role: BufferRole,
    ) -> Result<SetupPreflight> {
        let (buffer, program) = (*buffer, *program);
        self.prepare(SetupTask::Freeze { buffer, program, role }).await
    }

    /// Prepares to close a buffer that no proposal has pinned; its rent goes to the former authority.
    ///
    /// # Errors
    /// The network's, or why it is not a buffer.
    pub async fn close_unused(&self, buffer: &Pubkey) -> Result<SetupPreflight> {
        self.prepare(SetupTask::CloseUnused { buffer: *buffer }).await
    }

    /// Prepares to close a buffer whose authority was set to the manager's address of
    /// `program` without freezing it; its rent goes to the multisig's treasury.
    ///
    /// # Errors
    /// The network's, or what is wrong with an account.
    pub async fn reclaim(&self, buffer: &Pubkey, program: &Pubkey) -> Result<SetupPreflight> {
        self.prepare(SetupTask::Reclaim { buffer: *buffer, program: *program }).await
    }

    /// Prepares to close everything of a proposal that has ended. Anyone may.
    ///
    /// # Errors
    /// The network's, or what is wrong with an account.
    pub async fn close(&self, proposal: &Pubkey) -> Result<SetupPreflight> {
        self.prepare(SetupTask::Close { proposal: *proposal }).await
    }

    /// Prepares to close a multisig that has ended. Anyone may.
    ///
    /// # Errors
    /// The network's, or what is wrong with the account.
    pub async fn close_multisig(&self, multisig: &Pubkey) -> Result<SetupPreflight> {
        self.prepare(SetupTask::CloseMultisig { multisig: *multisig }).await
    }

    /// Prepares to close the state of `program`, which was handed over. Anyone may.
    ///
    /// # Errors
    /// The network's, or what is wrong with the account.
    pub async fn close_state(&self, program: &Pubkey) -> Result<SetupPreflight> {
        self.prepare(SetupTask::CloseState { program: *program }).await
    }

    async fn prepare(&self, task: SetupTask) -> Result<SetupPreflight> {
        // The step is called "vote to lift the pause" or "lift the pause", depending on the votes so far. The
        // verb in print and in JSON is the command, which must not depend on them.
        let verb = matches!(task, SetupTask::Unpause { .. }).then_some("unpause");
        let plan = task.plan(&self.context).await?;
        let sealed = seal(&self.context, plan, task).await?;
        let has_consequence = !sealed.step.consequence.is_empty();
        Ok(SetupPreflight {
            verb: verb.unwrap_or(sealed.step.name),
            step: has_consequence.then_some(sealed.step),
            title: sealed.title,
            subject: sealed.account,
            facts: sealed.facts,
            checks: sealed.checks,
            simulation: sealed.simulation,
            transactions: sealed.transactions,
            intent: sealed.intent,
        })
    }

    /// Plans again from the chain, refuses when anything that was shown has changed, signs, sends and
    /// confirms. Jobs can be started again after any interruption.
    ///
    /// # Errors
    /// [`BackendError::Refused`] and [`BackendError::Changed`] before anything is signed; else what
    /// stopped the work.
    pub async fn submit(
        &self,
        preflight: SetupPreflight,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<Receipt> {
        if let Some(check) = preflight.failed() {
            return Err(BackendError::Refused(check.sentence.clone()));
        }
        let nothing = || BackendError::Refused("there is nothing to send.".into());
        submit(&self.context, preflight.intent.ok_or_else(nothing)?, progress).await
    }

    async fn frozen(&self, request: MultisigProposalRequest) -> Result<FrozenNote> {
        Ok(FrozenNote::at(self.context.chain().chain_time().await?.unix, request))
    }

    /// A plan for the command `name`; its title is `head` and `subject`.
    pub(super) fn start(
        &self,
        name: &'static str,
        head: &'static str,
        subject: impl Into<String>,
    ) -> Plan {
        let mut plan = Plan::new(Step::act(name, head, ""), subject);
        match self.context.signer() {
            Some(key) => plan.fact("Signer", key),
            None => plan.check(Check::fail("No key is loaded; start with --keypair to sign.")),
        }
        plan
    }

    /// The state of a program that must be registered.
    pub(super) async fn registered(&self, program: &Pubkey) -> Result<ProgramUpgradeState> {
        accounts::program_state(self.context.chain(), program).await.map_err(|e| match e {
            BackendError::NoAccount { .. } => BackendError::Refused(format!(
                "the program {program} is not registered with the manager; run `control-room \
                 program register` first."
            )),
            other => other,
        })
    }
}
