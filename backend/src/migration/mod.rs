//! Migrates a program's accounts to the new layout, verifies them, and proves that none was forgotten. Every
//! pass reads the chain again, so a run can be killed at any moment and anyone can start it again. Old bytes
//! are archived before anything overwrites them.
mod closed;
mod forward;
mod plans;
mod verify;

use solana_pubkey::Pubkey;

use crate::{
    accounts::proposal::ProposalContext,
    error::Result,
    keys::signer::Signer,
    pipeline::{context::Context, plan::Plan, reporter::Reporter},
    preflight::{
        operation::{Operation, Verb},
        receipt::Receipt,
    },
};

/// Most passes in one run. An account that a user creates meanwhile is found by the next pass.
const MAX_PASSES: u32 = 8;

/// Plans and runs migrations and verifications; plans quarantines.
#[derive(Clone)]
pub struct MigrationManager {
    context: Context,
}

impl MigrationManager {
    /// Over the chain, the keys and the archive of `context`.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self { context: context.clone() }
    }

    pub(crate) async fn plan(&self, operation: Operation) -> Result<Plan> {
        let current = ProposalContext::load(self.context.chain(), operation.proposal).await?;
        match operation.verb {
            Verb::Migrate => self.plan_migrate(&current).await,
            Verb::Quarantine { account } => self.plan_quarantine(&current, account).await,
            _ => self.plan_verify(&current).await,
        }
    }

    pub(crate) async fn run(
        &self,
        verb: Verb,
        proposal: Pubkey,
        key: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Receipt> {
        match verb {
            Verb::Migrate => self.migrate(proposal, key, reporter).await,
            _ => self.verify(proposal, key, reporter).await,
        }
    }
}
