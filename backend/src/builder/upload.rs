//! Uploads an ELF into a buffer. The buffer's key is on disk before the first transaction, so an
//! interrupted run can go on: it reads the buffer and writes only the chunks that differ. At the end all
//! bytes are read back and compared.
use std::path::Path;

use solana_loader_v3_interface::instruction as loader_instruction;
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::external::loader::BUFFER_HEADER;

use crate::{
    builder::{BuiltElf, ProgramBuilder, fill::BufferFiller},
    code::buffer::buffer_bytes,
    error::{BackendError, Result},
    keys::signer::{FileSigner, Signer},
    pipeline::reporter::Reporter,
    preflight::{progress::Progress, receipt::SentTx},
};

/// Most passes over the chunks that still differ.
const MAX_PASSES: u32 = 5;

/// A buffer that holds the ELF, which was read back and compared.
#[derive(Clone, Debug)]
pub struct Uploaded {
    /// The buffer.
    pub buffer: Pubkey,
    /// Every transaction of this run that the chain knows.
    pub sent: Vec<SentTx>,
}

impl ProgramBuilder {
    /// Uploads `elf` into the buffer whose key is in `key_file`, which is made where it is missing.
    /// The loaded key pays and holds the buffer.
    ///
    /// # Errors
    /// The network's, the key file's, or why a buffer that exists cannot be used.
    pub async fn upload(
        &self,
        elf: &BuiltElf,
        key_file: &Path,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<Uploaded> {
        let payer = self.context.require_key()?;
        self.fill(elf, key_file, &*payer, &Reporter::new(progress))
            .await
            .map_err(BackendError::within_job)
    }

    /// The same within a job, with its key and its reporter.
    pub(crate) async fn fill(
        &self,
        elf: &BuiltElf,
        key_file: &Path,
        payer: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Uploaded> {
        let chain = self.context.chain();
        let buffer = if key_file.exists() {
            FileSigner::open(key_file)?
        } else {
            FileSigner::create(key_file)?
        };
        let (address, len) = (buffer.pubkey(), elf.bytes.len());
        let mut sent = vec![];
        if buffer_bytes(chain, &address, &payer.pubkey(), len).await?.is_none() {
            let made = self.create(&buffer, payer, len).await?;
            reporter.sent(&made).await;
            sent.push(made);
        }
        let filler = BufferFiller { chain, payer, buffer: address, elf: &elf.bytes, reporter };
        let chunks = filler.chunks();
        for _ in 0..MAX_PASSES {
            let todo = filler.missing(&chunks).await?;
            if todo.is_empty() {
                return Ok(Uploaded { buffer: address, sent });
            }
            filler.run(&todo, chunks.len(), &mut sent).await?;
        }
        if filler.missing(&chunks).await?.is_empty() {
            return Ok(Uploaded { buffer: address, sent });
        }
        Err(BackendError::Stopped(format!(
            "the buffer {address} does not hold the file after {MAX_PASSES} runs: the node loses \
             transactions, or somebody else writes into it. Start again with the same key file to \
             go on, with another one to start anew."
        )))
    }

    async fn create(&self, buffer: &FileSigner, payer: &dyn Signer, len: usize) -> Result<SentTx> {
        let chain = self.context.chain();
        let space = len.checked_add(BUFFER_HEADER).ok_or(BackendError::Range("sizing a buffer"))?;
        let lamports = chain.rent(space).await?;
        let (from, at) = (payer.pubkey(), buffer.pubkey());
        let make = loader_instruction::create_buffer(&from, &at, &from, lamports, len)
            .map_err(|_| BackendError::Range("making a buffer"))?;
        chain.send_and_confirm("create buffer", &make, &[payer, buffer]).await
    }
}
