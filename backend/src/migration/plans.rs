//! Preflights of migrate, verify and quarantine: what would be done and what would fail.
use solana_pubkey::Pubkey;
use upgrade_manager::{
    seeds,
    state::{AccountBackup, AccountStatus, AccountVersion, Terms, role},
};

use super::{MigrationManager, pack, records, survey};
use crate::{
    code,
    error::Result,
    gateway::{Fee, Gateway, MAX_UNITS, PACKET, transaction_size, with_budget},
    instructions::{self, Migrate, ProposalKeys},
    lookup::Scene,
    multisig::MultisigCoordinator,
    operation::Verb,
    plan::{self, Plan, Work},
    preflight::Check,
    proposals::check_archive,
    words,
};

impl MigrationManager {
    pub(super) async fn plan_migrate(&self, scene: &Scene) -> Result<Plan> {
        let (gateway, terms) = (self.backend.gateway(), &scene.proposal.terms);
        let mut plan = plan::on_scene(&self.backend, Verb::Migrate, scene);
        plan.work = Work::Job;
        counters(&mut plan, scene);
        // Another worker's first batch turns Executed into Migrating: that is no news to a signer.
        plan.shown.0.retain(|p| p.name != "the proposal's status");
        let paused = scene.multisig.require_not_paused(scene.now.unix);
        plan.check(words::rule(&paused, "The multisig is not paused."));
        plan.check(words::rule(&scene.proposal.require_executed(), "The new code is in place."));
        // Before execution the rule's error speaks of a later upgrade, and there is none.
        if !scene.proposal.status.is_voting() {
            let under_way = scene.state.require_migrating(&scene.address);
            let pass = "The program's accounts may move to the new layout.";
            plan.check(words::rule(&under_way, pass));
        }
        plan.check(check_callable(scene));
        plan.check(check_authority(gateway, terms).await?);
        plan.check(check_archive(&self.backend));
        let open = survey::open_accounts(gateway, terms, &scene.executed(), false).await?;
        plan.fact("Accounts that can migrate now", open.len());
        let Some(payer) = self.backend.signer() else { return Ok(plan) };
        let targets: Vec<Migrate> = open.iter().map(survey::Eligible::target).collect();
        let build = |t: &[Migrate]| instructions::migrate_accounts(&payer, terms, t);
        let batches = batches(gateway, &payer, targets, build);
        plan.transactions = batches.len();
        plan.fact("Transactions", batches.len());
        if let Some(first) = batches.first() {
            plan.instructions = vec![build(first)];
            plan.check(self.check_rent(&open, terms, &payer, batches.len()).await?);
        } else {
            plan.check(Check::warn("No account is left to migrate."));
        }
        Ok(plan)
    }

    pub(super) async fn plan_verify(&self, scene: &Scene) -> Result<Plan> {
        let (gateway, terms) = (self.backend.gateway(), &scene.proposal.terms);
        let mut plan = plan::on_scene(&self.backend, Verb::Verify, scene);
        plan.work = Work::Job;
        counters(&mut plan, scene);
        plan.shown.0.retain(|p| p.name != "the proposal's status");
        plan.check(words::rule(&scene.proposal.require_executed(), "The new code is in place."));
        if !scene.proposal.status.is_voting() {
            let last = scene.state.require_last(&scene.address);
            plan.check(words::rule(&last, "No later upgrade has replaced this one."));
        }
        let under = records(gateway, &terms.program, &scene.executed()).await?;
        let targets: Vec<Pubkey> = under
            .values()
            .filter(|r| r.status == AccountStatus::Migrated)
            .map(|r| r.account)
            .collect();
        plan.fact("Accounts to verify", targets.len());
        let Some(payer) = self.backend.signer() else { return Ok(plan) };
        let keys = ProposalKeys::of(terms);
        let build = |t: &[Pubkey]| instructions::verify_accounts(&keys, t);
        let batches = batches(gateway, &payer, targets, build);
        let executor = scene.multisig.require_role(&payer, role::EXECUTE).is_ok();
        plan.check(if executor {
            Check::pass(
                "Afterwards a finalized scan looks for forgotten accounts; if there are \
                         none, the migration is completed.",
            )
        } else {
            Check::warn(
                "The signer may not execute: everything is verified, but an executor has \
                         to complete the migration.",
            )
        });
        plan.transactions = batches.len().saturating_add(usize::from(executor));
        if let Some(first) = batches.first() {
            plan.instructions = vec![build(first)];
        } else if executor && scene.state.counters.is_complete() {
            plan.instructions = vec![instructions::complete(&payer, &keys)];
        }
        Ok(plan)
    }

    pub(super) async fn plan_quarantine(&self, scene: &Scene, account: Pubkey) -> Result<Plan> {
        let terms = &scene.proposal.terms;
        let mut plan = plan::on_scene(&self.backend, Verb::Quarantine { account }, scene);
        plan.fact("Account to set aside", account);
        let under_way = scene.state.require_migrating(&scene.address);
        plan.check(words::rule(&under_way, "The program's accounts may be set aside."));
        let raw = self.backend.gateway().account(&account).await?;
        plan.fact("Its owner", raw.as_ref().map_or("none".into(), |a| a.owner.to_string()));
        plan.fact("Its bytes", raw.as_ref().map_or(0, |a| a.data.len()));
        let hash = raw.map(|a| hex::encode(survey::sha256(&a.data)));
        plan.shown.pin("the account's sha256", hash.unwrap_or_else(|| "nothing".into()));
        plan.check(Check::warn(
            "An account that is set aside keeps its present bytes; the new code may refuse it.",
        ));
        if let Some(payer) = self.backend.signer() {
            let keys = ProposalKeys::of(terms);
            plan.instructions = vec![instructions::quarantine(&payer, &payer, &keys, &account)];
        }
        Ok(plan)
    }

    /// What the records and the growth of all accounts will cost the signer.
    async fn check_rent(
        &self,
        open: &[survey::Eligible],
        terms: &Terms,
        payer: &Pubkey,
        transactions: usize,
    ) -> Result<Check> {
        use anchor_lang::Space;
        let gateway = self.backend.gateway();
        let record = gateway.rent(AccountVersion::INIT_SPACE.saturating_add(8)).await?;
        let longest = terms.type_rules.iter().map(|r| r.new_len.max).max().unwrap_or_default();
        let grown = gateway.rent(usize::try_from(longest).unwrap_or(usize::MAX)).await?;
        let growth: u64 = open.iter().fold(0, |sum, e| {
            sum.saturating_add(grown.saturating_sub(e.lamports)).saturating_add(record)
        });
        let kept = self.backup_rent(open).await?;
        let price = gateway.config().unit_price;
        let fee = Fee { signatures: 1, limit: MAX_UNITS, price };
        let fees = u64::try_from(transactions).unwrap_or(u64::MAX).saturating_mul(fee.lamports());
        let need = growth.saturating_add(kept).saturating_add(fees);
        let have = gateway.account(payer).await?.map_or(0, |a| a.lamports);
        Ok(Check::when(
            have >= need,
            format!("The signer holds {have} lamports; rent and fees take at most {need}."),
            format!(
                "The signer holds {have} lamports, rent and fees can take {need}: fund {payer} first."
            ),
        ))
    }

    /// What the backups of critical accounts will cost.
    async fn backup_rent(&self, open: &[survey::Eligible]) -> Result<u64> {
        let mut sum = 0u64;
        for account in open.iter().filter(|e| e.critical) {
            let space = account.data.len().saturating_add(AccountBackup::HEADER);
            sum = sum.saturating_add(self.backend.gateway().rent(space).await?);
        }
        Ok(sum)
    }
}

/// `targets` as they would be sent now.
pub(crate) fn batches<T>(
    gateway: &Gateway,
    payer: &Pubkey,
    targets: Vec<T>,
    build: impl Fn(&[T]) -> solana_instruction::Instruction,
) -> Vec<Vec<T>> {
    let price = gateway.config().unit_price;
    pack(targets, |t| {
        transaction_size(&with_budget(&[build(t)], MAX_UNITS, price), payer) <= PACKET
    })
}

/// All counters, as facts.
pub(crate) fn counters(plan: &mut Plan, scene: &Scene) {
    let c = &scene.state.counters;
    plan.fact(
        "Accounts",
        format!(
            "{} in the manifest: {} migrated, {} verified, {} restored, {} quarantined, {} closed",
            c.total, c.migrated, c.verified, c.restored, c.quarantined, c.closed
        ),
    );
}

/// The new code can be called.
pub(crate) fn check_callable(scene: &Scene) -> Check {
    if scene.state.require_callable(scene.now.slot).is_ok() {
        return Check::pass("The code was not installed in this slot, so it can be called.");
    }
    Check::warn("The code was installed in this very slot; the first batch waits for the next one.")
}

/// The manager still holds the program.
pub(crate) async fn check_authority(gateway: &Gateway, terms: &Terms) -> Result<Check> {
    let authority = seeds::authority(&terms.program).0;
    let holds = code::live_authority(gateway, &terms.program_data).await? == Some(authority);
    Ok(Check::when(
        holds,
        "The manager's address holds the program's upgrade authority.",
        "The program's upgrade authority is no longer the manager's address: its code may have \
         been changed behind the manager's back.",
    ))
}

impl Plan {
    /// Adds the check of a role that only some steps of a verb need.
    pub(crate) fn check_role(&mut self, scene: &Scene, signer: Option<Pubkey>, bits: u8) {
        if let Some(signer) = signer {
            self.check(MultisigCoordinator::check_role(&scene.multisig, &signer, bits));
        }
    }
}
