//! Giving rent back. Acts directly: what may be closed is decided by the chain alone, and nothing
//! here can end a proposal.
use solana_pubkey::Pubkey;
use upgrade_manager::state::UpgradeProposal;

use super::ProposalManager;
use crate::{
    error::Result,
    instructions,
    lookup::{self, decode},
    receipt::SentTx,
};

impl ProposalManager {
    /// Closes a frozen buffer and its attestation; the rent goes to whoever had the buffer before.
    ///
    /// # Errors
    /// The network's, or why the chain refuses.
    pub async fn close_buffer(&self, buffer: &Pubkey) -> Result<SentTx> {
        let key = self.backend.require_key()?;
        let attestation = lookup::attestation(self.backend.gateway(), buffer).await?;
        let ix = instructions::close_buffer(&key.pubkey(), &attestation);
        self.backend.gateway().send_and_confirm("close buffer", &[ix], &[&*key]).await
    }

    /// Closes an ended proposal whose buffers are closed; the rent goes to its payer.
    ///
    /// # Errors
    /// The network's, or why the chain refuses.
    pub async fn close_proposal(&self, proposal: &Pubkey) -> Result<SentTx> {
        let key = self.backend.require_key()?;
        let raw = self.backend.gateway().account(proposal).await?;
        let known: UpgradeProposal = decode("proposal", *proposal, raw.as_ref())?;
        let ix = instructions::close_proposal(&key.pubkey(), &known);
        self.backend.gateway().send_and_confirm("close proposal", &[ix], &[&*key]).await
    }

    /// Closes every version record of `program` that no rollback can need; the rent goes to who
    /// paid for each. Returns what was sent, and a sentence for each record that could not be closed.
    ///
    /// # Errors
    /// The network's.
    pub async fn close_account_versions(
        &self,
        program: &Pubkey,
    ) -> Result<(Vec<SentTx>, Vec<String>)> {
        let key = self.backend.require_key()?;
        let (mut sent, mut failures) = (vec![], vec![]);
        for record in lookup::records(self.backend.gateway(), program).await? {
            let ix = instructions::close_account_version(&key.pubkey(), &record);
            let done =
                self.backend.gateway().send_and_confirm("close record", &[ix], &[&*key]).await;
            match done {
                Ok(tx) => sent.push(tx),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => failures.push(format!("Record of {}: {error}", record.account)),
            }
        }
        Ok((sent, failures))
    }
}
