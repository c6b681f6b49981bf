//! One pass over the chunks of a buffer that still differ. It sends all writes, then polls the buffer until
//! it holds them or their blockhash has expired. The same write may be sent twice: it writes the same bytes.
use std::time::{Duration, Instant};

use solana_instruction::Instruction;
use solana_loader_v3_interface::instruction as loader_instruction;
use solana_pubkey::Pubkey;

use crate::{
    chain::{
        client::ChainClient,
        fees::Fee,
        send_batch::SignedTransaction,
        simulate::{MAX_TRANSACTION_LEN, transaction_size, with_budget},
    },
    code::buffer::buffer_bytes,
    error::{BackendError, Result},
    keys::signer::Signer,
    pipeline::reporter::Reporter,
    preflight::receipt::SentTx,
};

/// The name of each write in receipts.
const TRANSACTION_NAME: &str = "write buffer";
/// Unit limit of one write: the loader takes a fixed 2,370, the compute-budget instructions add theirs.
pub(crate) const WRITE_UNITS: u32 = 5_000;
/// Most writes signed over one blockhash, which expires within seconds on a chain with short slots.
const MAX_WRITES_PER_BLOCKHASH: usize = 256;
/// First pause between two polls of the buffer; grows by half up to [`MAX_POLL_INTERVAL`].
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(100);
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Pause between two sends of the missing writes.
const RESEND_INTERVAL: Duration = Duration::from_secs(2);
/// Longest time without an answer from the node.
const NODE_ABSENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// A range of the file that one transaction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub at: usize,
    pub len: usize,
}

impl Chunk {
    fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.at..self.at.saturating_add(self.len)).unwrap_or_default()
    }
}

/// A chunk and the signed transaction that writes it.
struct PendingWrite {
    chunk: Chunk,
    signed: SignedTransaction,
}

/// Fills one buffer.
pub(super) struct BufferFiller<'a> {
    pub chain: &'a ChainClient,
    pub payer: &'a dyn Signer,
    pub buffer: Pubkey,
    pub elf: &'a [u8],
    pub reporter: &'a Reporter,
}

impl BufferFiller<'_> {
    /// Every chunk of the file, each as long as one transaction can carry.
    pub(super) fn chunks(&self) -> Vec<Chunk> {
        chunks(&self.payer.pubkey(), self.elf.len(), self.chain.config().unit_price)
    }

    /// The chunks of `all` that the buffer does not hold yet.
    pub(super) async fn missing(&self, all: &[Chunk]) -> Result<Vec<Chunk>> {
        let present = self.held().await?;
        Ok(all.iter().filter(|c| c.of(&present) != c.of(self.elf)).copied().collect())
    }

    async fn held(&self) -> Result<Vec<u8>> {
        let owner = self.payer.pubkey();
        let found = buffer_bytes(self.chain, &self.buffer, &owner, self.elf.len()).await?;
        // The node may not have seen the buffer yet; then the simulation of the first write fails.
        Ok(found.unwrap_or_default())
    }

    /// Writes the chunks `todo` of `total` and reports those that landed. The next pass writes the others.
    pub(super) async fn run(
        &self,
        todo: &[Chunk],
        total: usize,
        sent: &mut Vec<SentTx>,
    ) -> Result<()> {
        let messages = todo.iter().map(|c| self.write(*c)).collect::<Result<Vec<_>>>()?;
        self.simulate_first(&messages).await?;
        self.report_progress(todo.len(), total);
        let mut open = Vec::with_capacity(todo.len());
        for (chunks, messages) in
            todo.chunks(MAX_WRITES_PER_BLOCKHASH).zip(messages.chunks(MAX_WRITES_PER_BLOCKHASH))
        {
            let signed = self.chain.sign_all(messages, &[self.payer]).await?;
            self.chain.send_all(&signed.iter().collect::<Vec<_>>()).await?;
            let write = |(chunk, signed): (&Chunk, SignedTransaction)| PendingWrite {
                chunk: *chunk,
                signed,
            };
            open.extend(chunks.iter().zip(signed).map(write));
        }
        self.wait_until_written(open, total, sent).await
    }

    /// Simulates the first write. Single writes are not checked one by one, so a reason that stops all of
    /// them must be found before they are sent.
    async fn simulate_first(&self, messages: &[Vec<Instruction>]) -> Result<()> {
        let Some(first) = messages.first() else { return Ok(()) };
        let payer = self.payer.pubkey();
        let simulated = self.chain.simulate(first, &payer).await?;
        if let Some(failure) = simulated.failure {
            let (what, logs) = (TRANSACTION_NAME.into(), simulated.logs);
            return Err(BackendError::Transaction { what, failure, signature: None, logs });
        }
        let price = self.chain.config().unit_price;
        let fee = Fee { signatures: 1, limit: WRITE_UNITS, price };
        let writes = u64::try_from(messages.len()).unwrap_or(u64::MAX);
        let need = writes.saturating_mul(fee.lamports());
        let have = self.chain.account(&payer).await?.map_or(0, |a| a.lamports);
        if have >= need {
            return Ok(());
        }
        Err(BackendError::Stopped(format!(
            "the signer holds {have} lamports, and {writes} writes take {need}: fund {payer} \
             first, then start again with the same key file."
        )))
    }

    /// Polls the buffer until no write is open. Sends a missing write again while its blockhash is valid.
    async fn wait_until_written(
        &self,
        mut open: Vec<PendingWrite>,
        total: usize,
        sent: &mut Vec<SentTx>,
    ) -> Result<()> {
        let (mut pause, mut resent, mut seen) = (MIN_POLL_INTERVAL, Instant::now(), Instant::now());
        let longest = self.chain.config().outcome_timeout;
        let started = Instant::now();
        while !open.is_empty() {
            tokio::time::sleep(pause).await;
            pause = pause.saturating_add(pause / 2).min(MAX_POLL_INTERVAL);
            match self.poll_buffer(&mut open, sent).await {
                Ok(()) => seen = Instant::now(),
                Err(error) if error.is_transient() && seen.elapsed() < NODE_ABSENCE_TIMEOUT => {}
                Err(error) => return Err(error),
            }
            self.report_progress(open.len(), total);
            if let Some(write) = open.first().filter(|_| started.elapsed() >= longest) {
                return Err(self.unsettled(open.len(), &write.signed, longest));
            }
            if resent.elapsed() >= RESEND_INTERVAL {
                // The answer does not matter: the content of the buffer decides.
                let writes: Vec<_> = open.iter().map(|w| &w.signed).collect();
                let _ = self.chain.send_all(&writes).await;
                resent = Instant::now();
            }
        }
        Ok(())
    }

    fn unsettled(&self, open: usize, first: &SignedTransaction, waited: Duration) -> BackendError {
        BackendError::Stopped(format!(
            "{open} writes into the buffer {} are not known to be in it or to be expired after \
             {waited:?}, the first of them {}. Start again with the same key file to go on.",
            self.buffer,
            first.signature()
        ))
    }

    /// Removes from `open` the writes that the buffer holds, that have expired, or that failed on chain.
    async fn poll_buffer(
        &self,
        open: &mut Vec<PendingWrite>,
        sent: &mut Vec<SentTx>,
    ) -> Result<()> {
        // The heights are read before the buffer: a write that has expired by then and is missing afterwards
        // is signed again. At worst both land and write the same bytes.
        let seen = self.chain.heights(self.chain.config().commitment).await?;
        let present = self.held().await?;
        let signatures: Vec<_> = open.iter().map(|w| w.signed.signature()).collect();
        let signature_statuses = self.chain.signature_statuses(&signatures).await?;
        let mut failed = None;
        let mut left = vec![];
        for (write, status) in std::mem::take(open).into_iter().zip(signature_statuses) {
            let there = write.chunk.of(&present) == write.chunk.of(self.elf);
            if let Some(status) = status.filter(|f| there || f.error.is_some()) {
                let report = write.signed.report(TRANSACTION_NAME, &status);
                self.reporter.sent(&report).await;
                sent.push(report);
                if let Some(error) = status.error.filter(|_| !there) {
                    failed = Some((write.signed.failure(&error), write.signed.signature()));
                }
            } else if !there && !write.signed.is_expired(seen) {
                left.push(write);
            }
        }
        *open = left;
        match failed {
            None => Ok(()),
            Some((failure, signature)) => Err(BackendError::Transaction {
                what: TRANSACTION_NAME.into(),
                failure,
                signature: Some(signature.to_string()),
                logs: vec![],
            }),
        }
    }

    fn report_progress(&self, open: usize, total: usize) {
        let n = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        self.reporter.step("Writing the buffer", n(total.saturating_sub(open)), n(total), 0);
    }

    fn write(&self, chunk: Chunk) -> Result<Vec<Instruction>> {
        let bytes = chunk.of(self.elf).to_vec();
        let ix = write_at(&self.buffer, &self.payer.pubkey(), chunk.at, bytes)?;
        Ok(with_budget(&[ix], WRITE_UNITS, self.chain.config().unit_price))
    }
}

fn write_at(buffer: &Pubkey, owner: &Pubkey, at: usize, bytes: Vec<u8>) -> Result<Instruction> {
    let offset = u32::try_from(at).map_err(|_| BackendError::Range("writing a buffer"))?;
    Ok(loader_instruction::write(buffer, owner, offset, bytes))
}

fn chunks(payer: &Pubkey, len: usize, price: u64) -> Vec<Chunk> {
    let other = Pubkey::new_from_array([0xbb; 32]);
    let empty = loader_instruction::write(&other, payer, 0, vec![]);
    let bare = transaction_size(&with_budget(&[empty], WRITE_UNITS, price), payer);
    // The length of a long instruction takes one byte more than that of an empty write.
    let most = MAX_TRANSACTION_LEN.saturating_sub(bare).saturating_sub(1).max(1);
    let chunk = |at: usize| Chunk { at, len: most.min(len.saturating_sub(at)) };
    (0..len).step_by(most).map(chunk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn chunks_cover_every_byte_once_and_fill_a_packet(len in 0usize..9_000, price in 0u64..2) {
            let payer = Pubkey::new_from_array([1; 32]);
            let mut next = 0;
            for Chunk { at, len: n } in chunks(&payer, len, price) {
                prop_assert_eq!(at, next);
                next += n;
                let ix = write_at(&Pubkey::new_from_array([2; 32]), &payer, at, vec![7; n]).unwrap();
                let size = transaction_size(&with_budget(&[ix], WRITE_UNITS, price), &payer);
                prop_assert!(size <= MAX_TRANSACTION_LEN);
                prop_assert!(next == len || size == MAX_TRANSACTION_LEN, "{} bytes are left free", MAX_TRANSACTION_LEN - size);
            }
            prop_assert_eq!(next, len);
        }
    }
}
