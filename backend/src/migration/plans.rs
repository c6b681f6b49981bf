//! Plans of migrate, verify and quarantine.
use solana_pubkey::Pubkey;
use upgrade_manager::{
    seeds,
    state::{AccountBackup, AccountStatus, AccountVersion, Terms, role},
};

use crate::{
    accounts::proposal::ProposalContext,
    census::scan,
    chain::{
        client::ChainClient,
        fees::Fee,
        simulate::{MAX_TRANSACTION_LEN, MAX_UNITS, transaction_size, with_budget},
    },
    code,
    error::Result,
    instructions::{self, Migrate, ProposalKeys},
    migration::MigrationManager,
    pipeline::{
        archiving::check_archive,
        pack::pack,
        plan::{self, Plan, Workload},
    },
    preflight::{check::Check, operation::Verb, rule_check},
};

impl MigrationManager {
    pub(super) async fn plan_migrate(&self, current: &ProposalContext) -> Result<Plan> {
        let (chain, terms) = (self.context.chain(), &current.proposal.terms);
        let mut plan = Plan::for_proposal(&self.context, Verb::Migrate, current);
        plan.workload = Workload::Job;
        plan::counters(&mut plan, current);
        // Another operator's first batch turns Executed into Migrating; that must not refuse this signature.
        plan.pinned.values.retain(|p| p.name != "the proposal's status");
        let paused = current.multisig.require_not_paused(current.now.unix);
        plan.check(rule_check::check(&paused, "The multisig is not paused."));
        plan.check(rule_check::check(
            &current.proposal.require_executed(),
            "The new code is in place.",
        ));
        // Before execution `require_migrating` would name a later upgrade that does not exist.
        if !current.proposal.status.is_voting() {
            let under_way = current.state.require_migrating(&current.address);
            let pass = "The program's accounts may move to the new layout.";
            plan.check(rule_check::check(&under_way, pass));
        }
        plan.check(plan::check_callable(current));
        plan.check(check_authority(chain, terms).await?);
        plan.check(check_archive(&self.context));
        let open = scan::open_accounts(chain, terms, &current.executed(), false).await?;
        plan.fact("Accounts that can migrate now", open.len());
        let Some(payer) = self.context.signer() else { return Ok(plan) };
        let targets: Vec<Migrate> = open.iter().map(scan::EligibleAccount::target).collect();
        let build = |t: &[Migrate]| instructions::migrate_accounts(&payer, terms, t);
        let batches = batches(chain, &payer, targets, build);
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

    pub(super) async fn plan_verify(&self, current: &ProposalContext) -> Result<Plan> {
        let (chain, terms) = (self.context.chain(), &current.proposal.terms);
        let mut plan = Plan::for_proposal(&self.context, Verb::Verify, current);
        plan.workload = Workload::Job;
        plan::counters(&mut plan, current);
        plan.pinned.values.retain(|p| p.name != "the proposal's status");
        plan.check(rule_check::check(
            &current.proposal.require_executed(),
            "The new code is in place.",
        ));
        if !current.proposal.status.is_voting() {
            let last = current.state.require_last(&current.address);
            plan.check(rule_check::check(&last, "No later upgrade has replaced this one."));
        }
        let under = scan::records(chain, &terms.program, &current.executed()).await?;
        let targets: Vec<Pubkey> = under
            .values()
            .filter(|r| r.status == AccountStatus::Migrated)
            .map(|r| r.account)
            .collect();
        plan.fact("Accounts to verify", targets.len());
        let Some(payer) = self.context.signer() else { return Ok(plan) };
        let keys = ProposalKeys::of(terms);
        let build = |t: &[Pubkey]| instructions::verify_accounts(&keys, t);
        let batches = batches(chain, &payer, targets, build);
        let executor = current.multisig.require_role(&payer, role::EXECUTE).is_ok();
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
        } else if executor && current.state.counters.is_complete() {
            plan.instructions = vec![instructions::complete(&payer, &keys)];
        }
        Ok(plan)
    }

    pub(super) async fn plan_quarantine(
        &self,
        current: &ProposalContext,
        account: Pubkey,
    ) -> Result<Plan> {
        let terms = &current.proposal.terms;
        let mut plan = Plan::for_proposal(&self.context, Verb::Quarantine { account }, current);
        plan.fact("Account to set aside", account);
        let under_way = current.state.require_migrating(&current.address);
        plan.check(rule_check::check(&under_way, "The program's accounts may be set aside."));
        let raw = self.context.chain().account(&account).await?;
        plan.fact("Its owner", raw.as_ref().map_or("none".into(), |a| a.owner.to_string()));
        plan.fact("Its bytes", raw.as_ref().map_or(0, |a| a.data.len()));
        let hash = raw.map(|a| hex::encode(scan::sha256(&a.data)));
        plan.pinned.pin("the account's sha256", hash.unwrap_or_else(|| "nothing".into()));
        plan.check(Check::warn(
            "An account that is set aside keeps its present bytes; the new code may refuse it.",
        ));
        if let Some(payer) = self.context.signer() {
            let keys = ProposalKeys::of(terms);
            plan.instructions = vec![instructions::quarantine(&payer, &payer, &keys, &account)];
        }
        Ok(plan)
    }

    /// Checks that the signer can pay the rent of all records, backups and larger accounts, and the fees.
    async fn check_rent(
        &self,
        open: &[scan::EligibleAccount],
        terms: &Terms,
        payer: &Pubkey,
        transactions: usize,
    ) -> Result<Check> {
        use anchor_lang::Space;
        let chain = self.context.chain();
        let record = chain.rent(AccountVersion::INIT_SPACE.saturating_add(8)).await?;
        let longest = terms.type_rules.iter().map(|r| r.new_len.max).max().unwrap_or_default();
        let grown = chain.rent(usize::try_from(longest).unwrap_or(usize::MAX)).await?;
        let growth: u64 = open.iter().fold(0, |sum, e| {
            sum.saturating_add(grown.saturating_sub(e.lamports)).saturating_add(record)
        });
        let kept = self.backup_rent(open).await?;
        let price = chain.config().unit_price;
        let fee = Fee { signatures: 1, limit: MAX_UNITS, price };
        let fees = u64::try_from(transactions).unwrap_or(u64::MAX).saturating_mul(fee.lamports());
        let need = growth.saturating_add(kept).saturating_add(fees);
        let have = chain.account(payer).await?.map_or(0, |a| a.lamports);
        Ok(Check::when(
            have >= need,
            format!("The signer holds {have} lamports; rent and fees take at most {need}."),
            format!(
                "The signer holds {have} lamports, rent and fees can take {need}: fund {payer} first."
            ),
        ))
    }

    /// The rent of the backups of critical accounts.
    async fn backup_rent(&self, open: &[scan::EligibleAccount]) -> Result<u64> {
        let mut sum = 0u64;
        for account in open.iter().filter(|e| e.critical) {
            let space = account.data.len().saturating_add(AccountBackup::HEADER);
            sum = sum.saturating_add(self.context.chain().rent(space).await?);
        }
        Ok(sum)
    }
}

/// `targets` in the batches in which they would be sent.
pub(crate) fn batches<T>(
    chain: &ChainClient,
    payer: &Pubkey,
    targets: Vec<T>,
    build: impl Fn(&[T]) -> solana_instruction::Instruction,
) -> Vec<Vec<T>> {
    let price = chain.config().unit_price;
    pack(targets, |t| {
        transaction_size(&with_budget(&[build(t)], MAX_UNITS, price), payer) <= MAX_TRANSACTION_LEN
    })
}

/// Checks that the manager's address still is the program's upgrade authority.
pub(crate) async fn check_authority(chain: &ChainClient, terms: &Terms) -> Result<Check> {
    let authority = seeds::authority(&terms.program).0;
    let holds = code::live_authority(chain, &terms.program_data).await? == Some(authority);
    Ok(Check::when(
        holds,
        "The manager's address holds the program's upgrade authority.",
        "The program's upgrade authority is no longer the manager's address: its code may have \
         been changed behind the manager's back.",
    ))
}
