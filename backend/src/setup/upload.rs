//! Uploads an ELF into a buffer. The buffer's key signs only its creation, but the key file
//! is how an interrupted upload finds its buffer again.
use std::path::PathBuf;

use solana_pubkey::Pubkey;
use upgrade_manager::external::loader::BUFFER_HEADER;

use crate::{
    builder::{BuiltElf, ProgramBuilder, fill::WRITE_UNITS},
    chain::{
        fees::{Fee, sol},
        simulate::MAX_UNITS,
    },
    code::{self, buffer::resumable_bytes, elf},
    error::Result,
    instructions::program_data_address,
    keys::signer::{FileSigner, Signer},
    pipeline::{
        plan::{Plan, Workload},
        reporter::Reporter,
    },
    preflight::{
        check::{Check, Verdict},
        fact::Fact,
        receipt::Receipt,
    },
    setup::{
        key_file_check::{remove_spent_key, require_same_buffer},
        manager::SetupManager,
    },
};

/// About as many bytes as one write carries; the exact number of writes is known once they are cut.
const BYTES_PER_WRITE: usize = 1_000;

/// The ELF to upload and the key file of its buffer.
#[derive(Clone, Debug)]
pub struct UploadRequest {
    /// The code.
    pub elf: BuiltElf,
    /// The program it is for, if known.
    pub program: Option<Pubkey>,
    /// File of the buffer's key; made when it is missing.
    pub key_file: PathBuf,
    /// Whether the key file is removed once the buffer is complete.
    pub remove_key_file: bool,
}

impl SetupManager {
    /// Plans an upload; the loaded key pays and holds the buffer. Makes no key file.
    pub(super) async fn plan_upload(&self, request: &UploadRequest) -> Result<Plan> {
        let UploadRequest { elf, program, key_file, .. } = request;
        let chain = self.context.chain();
        let mut plan = self.start("buffer upload", "Upload code", "into a buffer");
        plan.workload = Workload::Job;
        let info = elf.info;
        plan.fact("Size", format!("{} bytes", info.len));
        plan.fact("sBPF version", info.sbpf_version);
        plan.fact("solana-verify hash, sha256", hex::encode(info.sha256));
        plan.fact("Buffer's key file", key_file.display());
        let known = if key_file.exists() { Some(FileSigner::open(key_file)?) } else { None };
        plan.pinned.pin(
            format!("the key file {}", key_file.display()),
            format!("of {}", known.as_ref().map_or("no buffer".into(), |k| k.pubkey().to_string())),
        );
        let mut present = None;
        match &known {
            None => plan.fact("Buffer", "a fresh address, made when this is signed"),
            Some(buffer) => {
                let address = buffer.pubkey();
                plan.account = Some(address);
                plan.fact("Buffer", address);
                // Without a signer the expected authority of the buffer is unknown.
                if let Some(signer) = self.context.signer()
                    && let Some(raw) = chain.account(&address).await?
                {
                    present = Some(resumable_bytes(&raw, &address, &signer, elf.bytes.len())?);
                }
            }
        }
        let left = match &present {
            None => elf.bytes.len(),
            Some(held) => held.iter().zip(&elf.bytes).filter(|(a, b)| a != b).count(),
        };
        plan.transactions =
            left.div_ceil(BYTES_PER_WRITE).saturating_add(usize::from(present.is_none()));
        plan.fact("Bytes to write", format!("{left} of {}", info.len));
        let space = elf.bytes.len().saturating_add(BUFFER_HEADER);
        let rent = if present.is_none() { chain.rent(space).await? } else { 0 };
        plan.fact("Rent of the buffer", format!("{rent} lamports, back when it is closed"));
        plan.check(code::check_elf(&elf.bytes, "uploaded"));
        if let Some(program) = program {
            self.check_target(&mut plan, elf, program).await?;
        }
        if let Some(payer) = self.context.signer() {
            let lamports = chain.account(&payer).await?.map_or(0, |a| a.lamports);
            let creates = present.is_none();
            let fee = UploadFee::of(chain.config().unit_price, plan.transactions, creates);
            plan.fees = Some(fee.facts());
            let need = rent.saturating_add(fee.lamports());
            plan.check(Check::when(
                lamports >= need,
                format!("The signer holds {lamports} lamports; {need} are needed."),
                format!("The signer holds {lamports} lamports, {need} are needed: fund {payer}."),
            ));
        }
        Ok(plan)
    }

    async fn check_target(&self, plan: &mut Plan, elf: &BuiltElf, program: &Pubkey) -> Result<()> {
        let live = code::live_elf(self.context.chain(), &program_data_address(program)).await?;
        plan.fact("Program", program);
        let same = elf::verify_hash(&live) == elf.info.sha256;
        plan.fact("Same as the code that runs", if same { "yes" } else { "no" });
        let room = code::check_room(live.len(), elf.info.len, program);
        // The program can still be extended before execution.
        plan.check(match room.verdict {
            Verdict::Fail => Check::warn(format!(
                "{} `control-room program extend --program {program}` does that.",
                room.sentence
            )),
            _ => room,
        });
        Ok(())
    }

    /// Uploads into the buffer `shown`, or into a fresh one where none was shown.
    pub(super) async fn run_upload(
        &self,
        request: &UploadRequest,
        shown: Option<Pubkey>,
        key: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Receipt> {
        let UploadRequest { elf, key_file, .. } = request;
        require_same_buffer(key_file, shown)?;
        let builder = ProgramBuilder::new(&self.context);
        let done = builder.fill(elf, key_file, key, reporter).await?;
        let failures = if request.remove_key_file { remove_spent_key(key_file) } else { vec![] };
        let (n, hash) = (done.sent.len(), hex::encode(elf.info.sha256));
        let summary = format!(
            "The buffer {} holds the code with sha256 {hash}, read back and compared; {n} \
             transactions. Freeze it next.",
            done.buffer
        );
        Ok(Receipt { sent: done.sent, summary, failures, subject: Some(done.buffer) })
    }
}

/// The fees of an upload: about `writes` writes, and the buffer's creation.
struct UploadFee {
    write: Fee,
    writes: usize,
    create: Option<Fee>,
}

impl UploadFee {
    fn of(price: u64, transactions: usize, creates: bool) -> Self {
        let write = Fee { signatures: 1, limit: WRITE_UNITS, price };
        let create = creates.then_some(Fee { signatures: 2, limit: MAX_UNITS, price });
        Self { write, writes: transactions.saturating_sub(usize::from(creates)), create }
    }

    /// With one write to spare, because the exact number is known only once they are cut.
    fn lamports(&self) -> u64 {
        let writes = u64::try_from(self.writes).unwrap_or(u64::MAX).saturating_add(1);
        let create = self.create.map_or(0, Fee::lamports);
        writes.saturating_mul(self.write.lamports()).saturating_add(create)
    }

    fn facts(&self) -> Vec<Fact> {
        let mut facts = self.write.job_facts(self.writes);
        if let Some(create) = self.create {
            let value = format!("at most {}", sol(create.lamports()));
            facts.push(Fact { label: "Fee of making the buffer".into(), value });
        }
        facts
    }
}
