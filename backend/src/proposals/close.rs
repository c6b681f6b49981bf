//! Giving rent back. Acts directly: what may be closed is decided by the chain alone, and nothing
//! here can end a proposal.
use solana_pubkey::Pubkey;
use upgrade_manager::state::{AccountVersion, UpgradeProposal};

use super::ProposalManager;
use crate::{
    backend::Reporter,
    error::Result,
    instructions,
    lookup::{self, decode},
    migration::Lane,
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
        let closer = key.pubkey();
        let all = lookup::records(self.backend.gateway(), program).await?;
        let lane = Lane {
            backend: &self.backend,
            key: &*key,
            reporter: &Reporter::new(None),
            what: "close records",
            label: "Closing records",
            before: 0,
            failed: 0,
        };
        let close = |t: &[AccountVersion]| {
            t.iter().map(|r| instructions::close_account_version(&closer, r)).collect()
        };
        let outcome = lane.run(all, |r| r.account, close).await?;
        Ok((outcome.sent, outcome.failed.iter().map(ToString::to_string).collect()))
    }
}
