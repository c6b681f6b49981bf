//! Verifies every migrated account, then proves completeness: a finalized scan must find no account at an
//! old version before the migration is completed.
use std::collections::BTreeMap;

use solana_pubkey::Pubkey;
use upgrade_manager::{
    error::ManagerError,
    state::{AccountStatus, ProposalStatus, role},
};

use crate::{
    accounts::proposal::ProposalContext,
    census::{finality, scan},
    chain::simulate::{MAX_UNITS, with_budget},
    error::Result,
    instructions::{self, ProposalKeys},
    keys::signer::Signer,
    migration::{MAX_PASSES, MigrationManager},
    pipeline::{
        batches::{BatchLane, BatchOutcome, FailedItem},
        reporter::Reporter,
        slot_retry::send_with_slot_retry,
    },
    preflight::receipt::{Receipt, SentTx},
};

impl MigrationManager {
    pub(super) async fn verify(
        &self,
        proposal: Pubkey,
        key: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Receipt> {
        let mut failed: BTreeMap<Pubkey, FailedItem> = BTreeMap::new();
        let (mut sent, mut done) = (vec![], 0u64);
        for _ in 0..MAX_PASSES {
            let pass = self.verify_pass(proposal, key, reporter, &failed).await?;
            let Some(outcome) = pass else { break };
            sent.extend(outcome.sent);
            done = done.saturating_add(outcome.done);
            // A record that another operator verified meanwhile is not a failure.
            let ours = |f: &FailedItem| f.manager != Some(ManagerError::RecordStatus);
            failed.extend(outcome.failed.into_iter().filter(ours).map(|f| (f.account, f)));
        }
        let mut failures: Vec<String> = failed.values().map(ToString::to_string).collect();
        let ending = if failures.is_empty() {
            self.finish(proposal, key, reporter, &mut sent, &mut failures).await?
        } else {
            "the migration is not complete".into()
        };
        let summary = format!("{done} accounts verified; {ending}.");
        Ok(Receipt { sent, summary, failures, subject: None })
    }

    async fn verify_pass(
        &self,
        proposal: Pubkey,
        key: &dyn Signer,
        reporter: &Reporter,
        failed: &BTreeMap<Pubkey, FailedItem>,
    ) -> Result<Option<BatchOutcome>> {
        let chain = self.context.chain();
        let current = ProposalContext::load(chain, proposal).await?;
        let under = scan::records(chain, &current.program(), &current.executed()).await?;
        let targets: Vec<Pubkey> = under
            .values()
            .filter(|r| r.status == AccountStatus::Migrated && !failed.contains_key(&r.account))
            .map(|r| r.account)
            .collect();
        if targets.is_empty() {
            return Ok(None);
        }
        let lane = BatchLane {
            chain: self.context.chain(),
            key,
            reporter,
            what: "verify accounts",
            label: "Verifying accounts",
            before: current.state.counters.settled(),
            failed: u64::try_from(failed.len()).unwrap_or(u64::MAX),
        };
        let keys = ProposalKeys::of(&current.proposal.terms);
        let build = |t: &[Pubkey]| vec![instructions::verify_accounts(&keys, t)];
        lane.run(targets, |t| *t, build).await.map(Some)
    }

    /// Proves completeness and completes the migration. The sentence names what is in the way, if anything.
    async fn finish(
        &self,
        proposal: Pubkey,
        key: &dyn Signer,
        reporter: &Reporter,
        sent: &mut Vec<SentTx>,
        failures: &mut Vec<String>,
    ) -> Result<String> {
        let chain = self.context.chain();
        let current = ProposalContext::load(chain, proposal).await?;
        let finalized = finality::wait_final(chain, current.now.slot, |finalized| {
            reporter.step("Waiting for finality", finalized, current.now.slot, 0);
        })
        .await?;
        let terms = &current.proposal.terms;
        let left = scan::open_accounts(chain, terms, &current.executed(), true).await?;
        failures.extend(left.iter().map(|e| {
            format!(
                "Account {}: it is still at the old version; migrate it, or set it aside with \
                 quarantine when it cannot migrate.",
                e.address
            )
        }));
        if !left.is_empty() {
            return Ok("the migration is not complete".into());
        }
        let proof = format!("a finalized scan at slot {finalized} found no account left behind");
        if current.proposal.status == ProposalStatus::Completed {
            return Ok(format!("{proof}, and the migration was completed before"));
        }
        let current = ProposalContext::load(chain, proposal).await?;
        let counters = &current.state.counters;
        if !counters.is_complete() {
            failures.push(format!(
                "{} of the manifest's {} accounts are neither verified, quarantined nor closed: \
                 run migrate again to account for closed ones.",
                u64::from(counters.total).saturating_sub(counters.settled()),
                counters.total
            ));
            return Ok(format!("{proof}, but the counters do not add up"));
        }
        if current.multisig.require_role(&key.pubkey(), role::EXECUTE).is_err() {
            return Ok(format!("{proof}; an executor can complete the migration now"));
        }
        let keys = ProposalKeys::of(&current.proposal.terms);
        let ix = instructions::complete(&key.pubkey(), &keys);
        let price = chain.config().unit_price;
        let message = with_budget(&[ix], MAX_UNITS, price);
        let done = send_with_slot_retry(self.context.chain(), "complete", &message, &[key], None)
            .await?
            .succeeded()?;
        reporter.sent(&done).await;
        sent.push(done);
        Ok(format!("{proof}, and the migration is complete"))
    }
}
