//! Acts on the chain as an operator does, through the same backend calls: prepare, check, submit.
use std::{io::Write, str::FromStr, sync::Arc};

use anyhow::{Context, Result, bail};
use backend::{
    Archive, Backend, ChainClient, Operation, Preflight, Progress, Receipt, SentTx, Verb,
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use tokio::sync::mpsc;

use crate::{chain::tx_meta::tx_meta, flow::tx_table::TxTable, scenario::keys::KeyFile};

/// How many progress messages a submission may be ahead of the printed table.
const PROGRESS_CAPACITY: usize = 64;

/// One backend that the members use in turn, and the table of their transactions.
pub struct Operator<W> {
    backend: Backend,
    proposal: Pubkey,
    table: TxTable<W>,
}

impl<W: Write> Operator<W> {
    /// An operator of `proposal`.
    #[must_use]
    pub fn new(
        client: &ChainClient,
        archive: Arc<dyn Archive>,
        proposal: Pubkey,
        table: TxTable<W>,
    ) -> Self {
        Self { backend: Backend::new(client.clone(), archive, None), proposal, table }
    }

    /// The preflight that the control room would show `member` before `verb`.
    ///
    /// # Errors
    /// The chain does not answer.
    pub async fn prepare(&self, member: &KeyFile, verb: Verb) -> Result<Preflight> {
        self.backend.set_signer(Some(member.signer.clone()));
        let operation = Operation { verb, proposal: self.proposal };
        Ok(self.backend.prepare(operation).await?)
    }

    /// Runs `verb` as `member` to its end.
    ///
    /// # Errors
    /// A check that fails, a refusal, or any failure in the receipt.
    pub async fn act(&mut self, member: &KeyFile, verb: Verb) -> Result<Receipt> {
        let shown = self.prepare(member, verb).await?;
        let Some(intent) = shown.intent else {
            let reasons: Vec<_> =
                shown.checks.iter().filter(|c| c.verdict == backend::Verdict::Fail).collect();
            let said: Vec<_> = reasons.iter().map(|c| c.sentence.as_str()).collect();
            bail!("The preflight of {} finds: {}", verb.name(), said.join(" "));
        };
        let (sender, mut news) = mpsc::channel(PROGRESS_CAPACITY);
        let backend = self.backend.clone();
        let submit = backend.submit(intent, Some(sender));
        let print = async {
            while let Some(message) = news.recv().await {
                if let Progress::Sent(tx) = message {
                    self.record(tx).await?;
                }
            }
            anyhow::Ok(())
        };
        let (receipt, printed) = tokio::join!(submit, print);
        let receipt = receipt.with_context(|| format!("{} did not end well.", verb.name()))?;
        printed?;
        match receipt.failures.as_slice() {
            [] => Ok(receipt),
            [first, ..] => {
                bail!("{} of {} failed: {first}", receipt.failures.len(), verb.name())
            }
        }
    }

    /// Adds `tx` to the table, with the compute units that the chain counted.
    ///
    /// # Errors
    /// The chain does not know the transaction, or stdout is closed.
    pub async fn record(&mut self, mut tx: SentTx) -> Result<()> {
        let signature = Signature::from_str(&tx.signature)
            .with_context(|| format!("{} is not a signature.", tx.signature))?;
        tx.units = tx_meta(self.backend.chain(), &signature).await?.units;
        self.table.row(&tx).context("Stdout is closed.")
    }

    /// A line between the transactions.
    ///
    /// # Errors
    /// Stdout is closed.
    pub fn note(&mut self, text: &str) -> Result<()> {
        self.table.note(text).context("Stdout is closed.")
    }

    /// The last line.
    ///
    /// # Errors
    /// Stdout is closed.
    pub fn finish(mut self) -> Result<()> {
        let summary = self.table.summary();
        self.note(&summary)
    }
}
