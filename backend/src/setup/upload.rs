//! Prepares the upload of an ELF into a buffer. The buffer's key signs only its creation, but the key file
//! is how an interrupted upload finds its buffer again.
use std::path::{Path, PathBuf};

use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
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
    preflight::{
        check::{Check, Verdict},
        fact::Fact,
        progress::Progress,
        receipt::Receipt,
    },
    setup::{
        key_file_check::remove_spent_key,
        manager::{SetupManager, SetupPreflight, SetupReceipt, SetupWork},
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
    /// Prepares an upload; the loaded key pays and holds the buffer. Makes no key file.
    ///
    /// # Errors
    /// The network's, the key file's, or why a buffer that exists cannot be used.
    pub async fn upload(&self, request: UploadRequest) -> Result<SetupPreflight> {
        let UploadRequest { elf, program, key_file, remove_key_file } = request;
        let chain = self.context.chain();
        let mut preflight = self.start("buffer upload", "Upload code into a buffer");
        let info = elf.info;
        preflight.fact("Size", format!("{} bytes", info.len));
        preflight.fact("sBPF version", info.sbpf_version);
        preflight.fact("solana-verify hash, sha256", hex::encode(info.sha256));
        preflight.fact("Buffer's key file", key_file.display());
        let known = if key_file.exists() { Some(FileSigner::open(&key_file)?) } else { None };
        let mut present = None;
        match &known {
            None => preflight.fact("Buffer", "a fresh address, made when this is signed"),
            Some(buffer) => {
                let address = buffer.pubkey();
                preflight.subject = Some(address);
                preflight.fact("Buffer", address);
                // Without a signer the expected authority of the buffer is unknown.
                if let Some(signer) = preflight.signer
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
        preflight.transactions =
            left.div_ceil(BYTES_PER_WRITE).saturating_add(usize::from(present.is_none()));
        preflight.fact("Bytes to write", format!("{left} of {}", info.len));
        let space = elf.bytes.len().saturating_add(BUFFER_HEADER);
        let rent = if present.is_none() { chain.rent(space).await? } else { 0 };
        preflight.fact("Rent of the buffer", format!("{rent} lamports, back when it is closed"));
        preflight.check(code::check_elf(&elf.bytes, "uploaded"));
        if let Some(program) = program {
            self.check_target(&mut preflight, &elf, &program).await?;
        }
        if let Some(payer) = preflight.signer {
            let lamports = chain.account(&payer).await?.map_or(0, |a| a.lamports);
            let creates = present.is_none();
            let fee = UploadFee::of(preflight.unit_price, preflight.transactions, creates);
            preflight.facts.extend(fee.facts());
            let need = rent.saturating_add(fee.lamports());
            preflight.check(Check::when(
                lamports >= need,
                format!("The signer holds {lamports} lamports; {need} are needed."),
                format!("The signer holds {lamports} lamports, {need} are needed: fund {payer}."),
            ));
            let buffer = known.map(|key| key.pubkey());
            preflight.work =
                SetupWork::Upload { elf: Box::new(elf), key_file, buffer, remove_key_file };
        }
        Ok(preflight)
    }

    async fn check_target(
        &self,
        preflight: &mut SetupPreflight,
        elf: &BuiltElf,
        program: &Pubkey,
    ) -> Result<()> {
        let live = code::live_elf(self.context.chain(), &program_data_address(program)).await?;
        preflight.fact("Program", program);
        let same = elf::verify_hash(&live) == elf.info.sha256;
        preflight.fact("Same as the code that runs", if same { "yes" } else { "no" });
        let room = code::check_room(live.len(), elf.info.len, program);
        // The program can still be extended before execution.
        preflight.check(match room.verdict {
            Verdict::Fail => Check::warn(format!(
                "{} `control-room program extend --program {program}` does that.",
                room.sentence
            )),
            _ => room,
        });
        Ok(())
    }

    pub(super) async fn run_upload(
        &self,
        elf: &BuiltElf,
        key_file: &Path,
        remove_key_file: bool,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<SetupReceipt> {
        let builder = ProgramBuilder::new(&self.context);
        let done = builder.upload(elf, key_file, progress).await?;
        let failures = if remove_key_file { remove_spent_key(key_file) } else { vec![] };
        let (n, hash) = (done.sent.len(), hex::encode(elf.info.sha256));
        let summary = format!(
            "The buffer {} holds the code with sha256 {hash}, read back and compared; {n} \
             transactions. Freeze it next.",
            done.buffer
        );
        let receipt = Receipt { sent: done.sent, summary, failures };
        Ok(SetupReceipt { receipt, subject: Some(done.buffer) })
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
