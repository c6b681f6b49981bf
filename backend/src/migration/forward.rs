//! Migrates accounts in passes: scan, archive, send; again until no account is left that can migrate.
use std::collections::BTreeMap;

use solana_pubkey::Pubkey;
use upgrade_manager::error::ManagerError;

use crate::{
    accounts::proposal::ProposalContext,
    census::scan::{self, EligibleAccount},
    error::Result,
    instructions::{self, Migrate},
    keys::signer::Signer,
    migration::{MAX_PASSES, MigrationManager, closed},
    pipeline::{
        archiving::archive_accounts,
        batches::{BatchLane, FailedItem},
        reporter::Reporter,
    },
    preflight::receipt::Receipt,
};

impl MigrationManager {
    pub(super) async fn migrate(
        &self,
        proposal: Pubkey,
        key: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Receipt> {
        let (mut sent, mut done) = (vec![], 0u64);
        let mut failed: BTreeMap<Pubkey, FailedItem> = BTreeMap::new();
        for _ in 0..MAX_PASSES {
            let current = ProposalContext::load(self.context.chain(), proposal).await?;
            let chain = self.context.chain();
            let terms = &current.proposal.terms;
            let open = scan::open_accounts(chain, terms, &current.executed(), false).await?;
            let todo: Vec<EligibleAccount> =
                open.into_iter().filter(|e| !failed.contains_key(&e.address)).collect();
            if todo.is_empty() {
                break;
            }
            archive_accounts(&self.context, terms.program, &todo).await?;
            let counters = &current.state.counters;
            let payer = key.pubkey();
            let lane = BatchLane {
                chain: self.context.chain(),
                key,
                reporter,
                what: "migrate accounts",
                label: "Migrating accounts",
                before: counters.settled().saturating_add(u64::from(counters.migrated)),
                failed: u64::try_from(failed.len()).unwrap_or(u64::MAX),
            };
            let targets: Vec<Migrate> = todo.iter().map(EligibleAccount::target).collect();
            let build = |t: &[Migrate]| vec![instructions::migrate_accounts(&payer, terms, t)];
            let outcome = lane.run(targets, |t| t.account, build).await?;
            sent.extend(outcome.sent);
            done = done.saturating_add(outcome.done);
            // An account that another operator migrated meanwhile is not a failure.
            let ours = |f: &FailedItem| f.manager != Some(ManagerError::AlreadyMigrated);
            failed.extend(outcome.failed.into_iter().filter(ours).map(|f| (f.account, f)));
        }
        let current = ProposalContext::load(self.context.chain(), proposal).await?;
        let gone = closed::mark_all(&self.context, &current, key, reporter).await?;
        sent.extend(gone.sent);
        let mut failures: Vec<String> = failed.values().map(ToString::to_string).collect();
        failures.extend(gone.failed.iter().map(ToString::to_string));
        let summary = format!(
            "{done} accounts migrated, {} accounted for as closed, {} failed.{}",
            gone.done,
            failures.len(),
            if failures.is_empty() {
                " Verify them next."
            } else {
                " An account that cannot migrate can be set aside with quarantine."
            }
        );
        Ok(Receipt { sent, summary, failures, subject: None })
    }
}
