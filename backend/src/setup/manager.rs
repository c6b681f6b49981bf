//! The set-up that an operator confirms: its preflight, its simulation, and its signature. Unlike verbs on a
//! proposal it is not planned again before signing: the very message that was shown is signed.
use std::{path::PathBuf, sync::Arc};

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::state::{BufferRole, ProgramUpgradeState};

use crate::{
    accounts,
    builder::BuiltElf,
    chain::{fees::Fee, simulate::MAX_UNITS},
    error::{BackendError, Result},
    keys::signer::Signer,
    pipeline::{
        context::Context,
        plan::Workload,
        reporter::Reporter,
        seal::{check_price, simulate_message},
        submit::simulate_again,
    },
    preflight::{
        Simulation,
        check::{Check, Verdict},
        fact::Fact,
        progress::Progress,
        receipt::{Receipt, SentTx},
        step::Step,
    },
    setup::key_file_check::require_same_buffer,
};

/// What will be sent once it is confirmed.
pub(super) enum SetupWork {
    /// Nothing can be sent.
    Nothing,
    /// Exactly this message, signed by the loaded key and `with`.
    One { message: Vec<Instruction>, with: Vec<Arc<dyn Signer>> },
    /// Writes of an ELF into the buffer that was shown, or into a fresh one when none was.
    /// `remove_key_file`: whether the key file is removed after the upload.
    Upload { elf: Box<BuiltElf>, key_file: PathBuf, buffer: Option<Pubkey>, remove_key_file: bool },
    /// The closing of every account of an ended proposal.
    Close { proposal: Pubkey },
    /// The freezing and hashing of a large buffer, chunk by chunk.
    Attest { program: Pubkey, buffer: Pubkey, role: BufferRole },
}

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
    pub(super) signer: Option<Pubkey>,
    /// Micro-lamports per compute unit, of every transaction that this leads to.
    pub(super) unit_price: u64,
    pub(super) work: SetupWork,
}

/// How set-up ended.
#[derive(Clone, Debug)]
pub struct SetupReceipt {
    /// What was sent.
    pub receipt: Receipt,
    /// What was made or changed.
    pub subject: Option<Pubkey>,
}

impl SetupPreflight {
    fn new(
        verb: &'static str,
        title: impl Into<String>,
        signer: Option<Pubkey>,
        unit_price: u64,
    ) -> Self {
        let mut preflight = Self {
            verb,
            step: None,
            title: title.into(),
            subject: None,
            facts: vec![],
            checks: vec![],
            simulation: None,
            transactions: 1,
            signer,
            unit_price,
            work: SetupWork::Nothing,
        };
        match signer {
            Some(key) => preflight.fact("Signer", key),
            None => preflight.check(Check::fail("No key is loaded; start with --keypair to sign.")),
        }
        preflight
    }

    pub(super) fn fact(&mut self, label: &str, value: impl ToString) {
        self.facts.push(Fact { label: label.into(), value: value.to_string() });
    }

    pub(super) fn check(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// Replaces the fee of the first transaction by the highest fee of the job.
    pub(super) fn job_fee(&mut self) {
        let most = Fee { signatures: 1, limit: MAX_UNITS, price: self.unit_price };
        self.facts.retain(|f| !matches!(f.label.as_str(), "Fee" | "Priority fee"));
        self.facts.extend(most.job_facts(self.transactions));
    }

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

    pub(super) fn start(&self, verb: &'static str, title: impl Into<String>) -> SetupPreflight {
        let price = self.context.chain().config().unit_price;
        SetupPreflight::new(verb, title, self.context.signer(), price)
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

    /// Simulates `instructions` and keeps the message that will be signed.
    pub(super) async fn seal(
        &self,
        mut preflight: SetupPreflight,
        instructions: &[Instruction],
        with: Vec<Arc<dyn Signer>>,
    ) -> Result<SetupPreflight> {
        let Some(payer) = preflight.signer else { return Ok(preflight) };
        let simulated =
            simulate_message(&self.context, &payer, instructions, None, Workload::One).await?;
        preflight.checks.extend(simulated.checks);
        preflight.facts.extend(simulated.fee.facts());
        preflight.facts.extend(simulated.facts);
        preflight.simulation = Some(simulated.simulation);
        preflight.work = SetupWork::One { message: simulated.message, with };
        Ok(preflight)
    }

    /// Signs what was shown, sends and confirms. Jobs can be started again after any interruption.
    ///
    /// # Errors
    /// [`BackendError::Refused`] and [`BackendError::Changed`] before anything is signed; else what
    /// stopped the work.
    pub async fn submit(
        &self,
        preflight: SetupPreflight,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<SetupReceipt> {
        let key = self.context.require_key()?;
        if preflight.signer != Some(key.pubkey()) {
            return Err(BackendError::Changed("the key is another one now".into()));
        }
        if let Some(check) = preflight.failed() {
            return Err(BackendError::Refused(check.sentence.clone()));
        }
        check_price(&self.context, preflight.unit_price)?;
        let checked = self.context.chain().recheck_genesis().await;
        checked.map_err(BackendError::before_signing)?;
        let SetupPreflight { verb, step, title, subject, work, .. } = preflight;
        match work {
            SetupWork::Nothing => Err(BackendError::Refused("there is nothing to send.".into())),
            SetupWork::One { message, with } => {
                let what = step.as_ref().map_or(verb, |step| step.name);
                let sent = self.send(what, &message, &*key, &with).await?;
                Reporter::new(progress).sent(&sent).await;
                let summary = match (&step, subject) {
                    (Some(step), Some(of)) => step.report(&format!("multisig {of}"), sent.slot),
                    _ => format!("{title} is confirmed in slot {}.", sent.slot),
                };
                let receipt = Receipt { sent: vec![sent], summary, failures: vec![] };
                Ok(SetupReceipt { receipt, subject })
            }
            SetupWork::Upload { elf, key_file, buffer, remove_key_file } => {
                require_same_buffer(&key_file, buffer)?;
                self.run_upload(&elf, &key_file, remove_key_file, progress)
                    .await
                    .map_err(BackendError::within_job)
            }
            SetupWork::Attest { program, buffer, role } => {
                let run = self.run_attest(&program, &buffer, role, progress);
                let receipt = run.await.map_err(BackendError::within_job)?;
                Ok(SetupReceipt { receipt, subject })
            }
            SetupWork::Close { proposal } => {
                let run = self.run_close(&proposal, progress);
                let receipt = run.await.map_err(BackendError::within_job)?;
                Ok(SetupReceipt { receipt, subject })
            }
        }
    }

    async fn send(
        &self,
        verb: &'static str,
        message: &[Instruction],
        key: &dyn Signer,
        with: &[Arc<dyn Signer>],
    ) -> Result<SentTx> {
        let chain = self.context.chain();
        let again = simulate_again(chain, message, &key.pubkey()).await?;
        let signers: Vec<&dyn Signer> =
            std::iter::once(key).chain(with.iter().map(|s| &**s)).collect();
        chain.send_exactly(verb, message, &signers, Some(again.units)).await?.succeeded()
    }
}
