//! Filling a buffer. The buffer's key is on disk before the first lamport moves; a second run reads
//! the buffer and writes only what differs; at the end all bytes are read back and compared.
use std::path::Path;

use futures_util::{StreamExt, stream};
use solana_instruction::Instruction;
use solana_loader_v3_interface::instruction as loader_instruction;
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::loader::{self, BUFFER_HEADER};

use super::{BuiltElf, ProgramBuilder};
use crate::{
    backend::Reporter,
    error::{BackendError, Result},
    gateway::{PACKET, RawAccount, transaction_size, with_budget},
    receipt::{Progress, SentTx},
    signer::{FileSigner, Signer},
    words,
};

/// Writes under way at once.
const IN_FLIGHT: usize = 16;
/// Compute units of one write: the loader's fixed 2,370 and the budget instructions' own.
const WRITE_UNITS: u32 = 5_000;
/// Most runs over the bytes that still differ.
const PASSES: u32 = 5;

/// A buffer that was read back and holds the ELF.
#[derive(Clone, Debug)]
pub struct Uploaded {
    /// The buffer.
    pub buffer: Pubkey,
    /// Every transaction this run sent.
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
        let reporter = Reporter::new(progress);
        let payer = self.backend.require_key()?;
        let buffer = if key_file.exists() {
            FileSigner::open(key_file)?
        } else {
            FileSigner::create(key_file)?
        };
        let address = buffer.pubkey();
        let mut sent = vec![];
        if self.held(&address, &payer.pubkey(), elf.bytes.len()).await?.is_none() {
            sent.push(self.create(&buffer, &*payer, elf.bytes.len()).await?);
        }
        let chunks = chunk_offsets(&payer.pubkey(), elf.bytes.len(), self.price());
        for _ in 0..PASSES {
            let present = self.held(&address, &payer.pubkey(), elf.bytes.len()).await?;
            let present = present.unwrap_or_default();
            let todo: Vec<(usize, Vec<u8>)> = chunks
                .iter()
                .map(|(at, len)| (*at, piece(&elf.bytes, *at, *len)))
                .filter(|(at, bytes)| piece(&present, *at, bytes.len()) != *bytes)
                .collect();
            if todo.is_empty() {
                return Ok(Uploaded { buffer: address, sent });
            }
            self.write(&address, &*payer, todo, chunks.len(), &reporter, &mut sent).await?;
        }
        Err(BackendError::Refused(format!(
            "the buffer {address} does not hold the file after {PASSES} runs; somebody else may \
             be writing into it. Start again with another key file."
        )))
    }

    fn price(&self) -> u64 {
        self.backend.gateway().config().unit_price
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

    /// The bytes behind the header of the buffer, `None` when there is no buffer yet.
    async fn held(&self, buffer: &Pubkey, owner: &Pubkey, len: usize) -> Result<Option<Vec<u8>>> {
        let found = self.backend.gateway().account(buffer).await?;
        found.map(|raw| usable(&raw, buffer, owner, len)).transpose()
    }

    async fn write(
        &self,
        buffer: &Pubkey,
        payer: &dyn Signer,
        todo: Vec<(usize, Vec<u8>)>,
        total: usize,
        reporter: &Reporter,
        sent: &mut Vec<SentTx>,
    ) -> Result<()> {
        let (gateway, price) = (self.backend.gateway(), self.price());
        let mut done = total.saturating_sub(todo.len());
        let send = |(at, bytes): (usize, Vec<u8>)| async move {
            let ix = write_at(buffer, &payer.pubkey(), at, bytes)?;
            let message = with_budget(&[ix], WRITE_UNITS, price);
            gateway.send_exactly("write buffer", &message, &[payer], None).await?.succeeded()
        };
        let mut under_way = stream::iter(todo.into_iter().map(send)).buffer_unordered(IN_FLIGHT);
        while let Some(outcome) = under_way.next().await {
            match outcome {
                Ok(tx) => {
                    done = done.saturating_add(1);
                    let n = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
                    reporter.step("Writing the buffer", n(done), n(total), 0);
                    reporter.sent(&tx).await;
                    sent.push(tx);
                }
                // Known to be dead: the next run over the buffer writes it again.
                Err(BackendError::Dropped { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

pub(crate) fn usable(raw: &RawAccount, buffer: &Pubkey, owner: &Pubkey, len: usize) -> Result<Vec<u8>> {
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

fn write_at(buffer: &Pubkey, owner: &Pubkey, at: usize, bytes: Vec<u8>) -> Result<Instruction> {
    let offset = u32::try_from(at).map_err(|_| BackendError::Range("writing a buffer"))?;
    Ok(loader_instruction::write(buffer, owner, offset, bytes))
}

fn piece(bytes: &[u8], at: usize, len: usize) -> Vec<u8> {
    let end = at.saturating_add(len).min(bytes.len());
    bytes.get(at..end).unwrap_or_default().to_vec()
}

/// Offset and length of each write: as long as one transaction can carry.
fn chunk_offsets(payer: &Pubkey, len: usize, price: u64) -> Vec<(usize, usize)> {
    let other = Pubkey::new_from_array([0xbb; 32]);
    let empty = loader_instruction::write(&other, payer, 0, vec![]);
    let bare = transaction_size(&with_budget(&[empty], WRITE_UNITS, price), payer);
    // One byte more than an empty write needs to count the bytes of a long instruction.
    let chunk = PACKET.saturating_sub(bare).saturating_sub(1).max(1);
    (0..len).step_by(chunk).map(|at| (at, chunk.min(len.saturating_sub(at)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn chunks_cover_every_byte_once_and_fill_a_packet(len in 0usize..9_000, price in 0u64..2) {
            let payer = Pubkey::new_from_array([1; 32]);
            let chunks = chunk_offsets(&payer, len, price);
            let mut next = 0;
            for (at, n) in &chunks {
                prop_assert_eq!(*at, next);
                next += n;
                let ix = write_at(&Pubkey::new_from_array([2; 32]), &payer, *at, vec![7; *n]).unwrap();
                let size = transaction_size(&with_budget(&[ix], WRITE_UNITS, price), &payer);
                prop_assert!(size <= PACKET);
                prop_assert!(next == len || size == PACKET, "{} bytes are left free", PACKET - size);
            }
            prop_assert_eq!(next, len);
        }
    }

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
