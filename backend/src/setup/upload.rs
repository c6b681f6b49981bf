//! An ELF goes into a buffer. The buffer's key is only needed until the buffer exists, but its file
//! says where an interrupted upload goes on.
use std::path::{Path, PathBuf};

use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::external::loader::BUFFER_HEADER;

use super::{SetupManager, SetupPreflight, SetupReceipt, Work};
use crate::{
    build::{BuiltElf, ProgramBuilder, WRITE_UNITS, usable},
    code, elf,
    error::{BackendError, Result},
    gateway::{Fee, MAX_UNITS, sol},
    instructions::program_data_address,
    preflight::{Check, Fact, Verdict},
    receipt::{Progress, Receipt},
    signer::{FileSigner, Signer},
};

/// Bytes that one write carries, about: how many there will be is known once they are cut.
const WRITE: usize = 1_000;

/// What is uploaded, and where an interrupted run left off.
#[derive(Clone, Debug)]
pub struct UploadRequest {
    /// The code.
    pub elf: BuiltElf,
    /// The program it is for, where that is known.
    pub program: Option<Pubkey>,
    /// File of the buffer's key; made where it is missing.
    pub key_file: PathBuf,
    /// Whether the file may go once the buffer is complete.
    pub ours: bool,
}

impl SetupManager {
    /// Prepares an upload; the loaded key pays and holds the buffer. Makes no key file.
    ///
    /// # Errors
    /// The network's, the key file's, or why a buffer that exists cannot be used.
    pub async fn upload(&self, request: UploadRequest) -> Result<SetupPreflight> {
        let UploadRequest { elf, program, key_file, ours } = request;
        let gateway = self.backend.gateway();
        let mut shown = self.start("buffer upload", "Upload code into a buffer");
        let info = elf.info;
        shown.fact("Size", format!("{} bytes", info.len));
        shown.fact("sBPF version", info.sbpf_version);
        shown.fact("solana-verify hash, sha256", hex::encode(info.sha256));
        shown.fact("Buffer's key file", key_file.display());
        let known = if key_file.exists() { Some(FileSigner::open(&key_file)?) } else { None };
        let mut present = None;
        match &known {
            None => shown.fact("Buffer", "a fresh address, made when this is signed"),
            Some(buffer) => {
                let address = buffer.pubkey();
                shown.subject = Some(address);
                shown.fact("Buffer", address);
                // Without a signer nobody knows whose the buffer should be.
                if let Some(signer) = shown.signer
                    && let Some(raw) = gateway.account(&address).await?
                {
                    present = Some(usable(&raw, &address, &signer, elf.bytes.len())?);
                }
            }
        }
        let left = match &present {
            None => elf.bytes.len(),
            Some(held) => held.iter().zip(&elf.bytes).filter(|(a, b)| a != b).count(),
        };
        shown.transactions = left.div_ceil(WRITE).saturating_add(usize::from(present.is_none()));
        shown.fact("Bytes to write", format!("{left} of {}", info.len));
        let space = elf.bytes.len().saturating_add(BUFFER_HEADER);
        let rent = if present.is_none() { gateway.rent(space).await? } else { 0 };
        shown.fact("Rent of the buffer", format!("{rent} lamports, back when it is closed"));
        shown.check(code::check_elf(&elf.bytes, "uploaded"));
        if let Some(program) = program {
            self.check_target(&mut shown, &elf, &program).await?;
        }
        if let Some(payer) = shown.signer {
            let lamports = gateway.account(&payer).await?.map_or(0, |a| a.lamports);
            let creates = present.is_none();
            let fee = UploadFee::of(shown.unit_price, shown.transactions, creates);
            shown.facts.extend(fee.facts());
            let need = rent.saturating_add(fee.lamports());
            shown.check(Check::when(
                lamports >= need,
                format!("The signer holds {lamports} lamports; {need} are needed."),
                format!("The signer holds {lamports} lamports, {need} are needed: fund {payer}."),
            ));
            let buffer = known.map(|key| key.pubkey());
            shown.work = Work::Upload { elf: Box::new(elf), key_file, buffer, ours };
        }
        Ok(shown)
    }

    async fn check_target(
        &self,
        shown: &mut SetupPreflight,
        elf: &BuiltElf,
        program: &Pubkey,
    ) -> Result<()> {
        let live = code::live_elf(self.backend.gateway(), &program_data_address(program)).await?;
        shown.fact("Program", program);
        let same = elf::verify_hash(&live) == elf.info.sha256;
        shown.fact("Same as the code that runs", if same { "yes" } else { "no" });
        let room = code::check_room(live.len(), elf.info.len, program);
        // The program can still be extended before execution.
        shown.check(match room.verdict {
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
        ours: bool,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<SetupReceipt> {
        let builder = ProgramBuilder::new(&self.backend);
        let done = builder.upload(elf, key_file, progress).await?;
        let failures = if ours { spent(key_file) } else { vec![] };
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

/// What an upload costs beside rent: about so many writes, and the buffer's creation.
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

    /// With one write to spare: how many there will be is known once they are cut.
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

/// Removes a key that is good for nothing more, since the signer holds the buffer now. Where that
/// fails, the upload is complete all the same.
fn spent(key_file: &Path) -> Vec<String> {
    let stays = |e| {
        let file = key_file.display();
        format!("The buffer is complete, but its key file {file} stays: {e}. Remove it.")
    };
    std::fs::remove_file(key_file).map_err(stays).err().into_iter().collect()
}

/// The key file still leads to the buffer that was shown: a file that came, went or changed since
/// would send the code elsewhere, or be removed though nobody was told of it.
pub(super) fn require_shown(key_file: &Path, buffer: Option<Pubkey>) -> Result<()> {
    let now = if key_file.exists() { Some(FileSigner::open(key_file)?.pubkey()) } else { None };
    if now == buffer {
        return Ok(());
    }
    let named = |key: Option<Pubkey>| key.map_or("no buffer".into(), |k| k.to_string());
    Err(BackendError::Changed(format!(
        "the key file {} was of {} and is of {} now",
        key_file.display(),
        named(buffer),
        named(now)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_that_came_went_or_changed_stops_the_upload() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("buffer.json");
        let other = Pubkey::new_from_array([1; 32]);
        require_shown(&file, None).unwrap();
        let gone = require_shown(&file, Some(other)).unwrap_err();
        let key = FileSigner::create(&file).unwrap().pubkey();
        require_shown(&file, Some(key)).unwrap();
        let came = require_shown(&file, None).unwrap_err();
        let changed = require_shown(&file, Some(other)).unwrap_err();
        for error in [gone, came, changed] {
            assert!(matches!(error, BackendError::Changed(_)), "{error}");
            assert!(error.to_string().contains("buffer.json"), "{error}");
        }
    }

    #[test]
    fn a_key_file_that_stays_is_named_and_does_not_undo_the_upload() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("buffer.json");
        FileSigner::create(&file).unwrap();
        assert!(spent(&file).is_empty() && !file.exists());
        // A folder cannot be removed as a file is, not even by root.
        std::fs::create_dir(&file).unwrap();
        let said = spent(&file);
        assert!(matches!(said.as_slice(), [one] if one.contains("buffer.json")), "{said:?}");
    }
}
