//! Filling a buffer. The buffer's key is on disk before the first lamport moves; a second run reads
//! the buffer and writes only what differs; at the end all bytes are read back and compared.
use std::path::Path;

use solana_loader_v3_interface::instruction as loader_instruction;
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::external::loader::{self, BUFFER_HEADER};

use super::{BuiltElf, ProgramBuilder, fill::Filler};
use crate::{
    backend::Reporter,
    error::{BackendError, Result},
    gateway::{Gateway, RawAccount},
    receipt::{Progress, SentTx},
    signer::{FileSigner, Signer},
    words,
};

/// Most runs over the bytes that still differ.
const PASSES: u32 = 5;

/// A buffer that was read back and holds the ELF.
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
        let payer = self.backend.require_key()?;
        self.fill(elf, key_file, &*payer, &Reporter::new(progress))
            .await
            .map_err(BackendError::within_job)
    }

    async fn fill(
        &self,
        elf: &BuiltElf,
        key_file: &Path,
        payer: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Uploaded> {
        let gateway = self.backend.gateway();
        let buffer = if key_file.exists() {
            FileSigner::open(key_file)?
        } else {
            FileSigner::create(key_file)?
        };
        let (address, len) = (buffer.pubkey(), elf.bytes.len());
        let mut sent = vec![];
        if held(gateway, &address, &payer.pubkey(), len).await?.is_none() {
            let made = self.create(&buffer, payer, len).await?;
            reporter.sent(&made).await;
            sent.push(made);
        }
        let filler = Filler { gateway, payer, buffer: address, elf: &elf.bytes, reporter };
        let chunks = filler.chunks();
        for _ in 0..PASSES {
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
            "the buffer {address} does not hold the file after {PASSES} runs: the node loses \
             transactions, or somebody else writes into it. Start again with the same key file to \
             go on, with another one to start anew."
        )))
    }

    async fn create(&self, buffer: &FileSigner, payer: &dyn Signer, len: usize) -> Result<SentTx> {
        let gateway = self.backend.gateway();
        let space = len.checked_add(BUFFER_HEADER).ok_or(BackendError::Range("sizing a buffer"))?;
        let lamports = gateway.rent(space).await?;
        let (from, at) = (payer.pubkey(), buffer.pubkey());
        let make = loader_instruction::create_buffer(&from, &at, &from, lamports, len)
            .map_err(|_| BackendError::Range("making a buffer"))?;
        gateway.send_and_confirm("create buffer", &make, &[payer, buffer]).await
    }
}

/// The bytes behind the header of `buffer`, `None` when there is no buffer yet.
pub(super) async fn held(
    gateway: &Gateway,
    buffer: &Pubkey,
    owner: &Pubkey,
    len: usize,
) -> Result<Option<Vec<u8>>> {
    let found = gateway.account(buffer).await?;
    found.map(|raw| usable(&raw, buffer, owner, len)).transpose()
}

pub(crate) fn usable(
    raw: &RawAccount,
    buffer: &Pubkey,
    owner: &Pubkey,
    len: usize,
) -> Result<Vec<u8>> {
    let (what, address) = ("buffer", *buffer);
    let bad = |reason: String| BackendError::BadAccount { what, address, reason };
    let held = loader::buffer(&raw.owner, &raw.data).map_err(|e| bad(words::sentence(&e)))?;
    if held.authority != Some(*owner) {
        return Err(bad(format!(
            "its authority is {}, not the signer {owner}; use another key file",
            held.authority.map_or("nobody".into(), |k| k.to_string())
        )));
    }
    if held.elf.len() != len {
        return Err(bad(format!(
            "it has room for {} bytes, the file has {len}; use another key file",
            held.elf.len()
        )));
    }
    Ok(held.elf.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_of_somebody_else_or_of_another_size_is_refused_by_name() {
        let (buffer, owner) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
        let mut data = vec![1, 0, 0, 0, 1];
        data.extend([2; 32]);
        data.extend(b"code");
        let raw = RawAccount { owner: loader::ID, lamports: 1, data, executable: false };
        assert_eq!(usable(&raw, &buffer, &owner, 4).unwrap(), b"code");
        for (owner, len) in [(buffer, 4), (owner, 5)] {
            let error = usable(&raw, &buffer, &owner, len).unwrap_err().to_string();
            assert!(error.contains(&buffer.to_string()) && error.contains("another key file"));
        }
    }
}
