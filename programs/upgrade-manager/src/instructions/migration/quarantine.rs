//! Quarantines an account that cannot migrate, or that no longer has the new layout. Without this,
//! one such account would block the migration for ever. The event names the executor who decided
//! it.
use anchor_lang::prelude::*;
use solana_sha256_hasher::hash;

use crate::account_io::io;
use crate::account_io::io::Payer;
use crate::account_io::multisig::{read_multisig_and_state, read_upgrade_proposal};
use crate::account_io::version::read_or_create_record;
use crate::error::{ManagerError, OrErr as _};
use crate::events::{AccountMove, AccountsMoved};
use crate::external::target::{is_closed, old_version};
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::{
    AccountStatus, AccountVersion, Executed, MultisigConfig, ProgramUpgradeState, Terms,
    UpgradeProposal, role, rule_for,
};

/// Accounts of `quarantine`.
#[derive(Accounts)]
pub struct Quarantine<'info> {
    /// Decides on the quarantine; needs the role execute.
    pub executor: Signer<'info>,
    /// Pays for the record.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the program's state; `handle` reads it.
    #[account(mut)]
    pub state: UncheckedAccount<'info>,
    /// CHECK: the proposal; `handle` reads it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: the account; `status_and_version` checks it.
    pub account: UncheckedAccount<'info>,
    /// CHECK: its record; `handle` reads or creates it.
    #[account(mut)]
    pub record: UncheckedAccount<'info>,
    /// Makes the record.
    pub system_program: Program<'info, System>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> Quarantine<'info> {
    fn validate(
        &self,
        config: &MultisigConfig,
        state: &ProgramUpgradeState,
        proposal: &UpgradeProposal,
    ) -> Result<()> {
        config.require_role(self.executor.key, role::EXECUTE)?;
        proposal.require_executed()?;
        state.require_migrating(self.proposal.key)
    }

    /// The status and the version that the account leaves. One that was not migrated must be of a
    /// pinned type at an old version; one that was must have lost its new layout without being
    /// closed.
    fn status_and_version(
        &self,
        terms: &Terms,
        by: &Executed,
        record: &AccountVersion,
    ) -> Result<(AccountStatus, u16)> {
        if let Ok(status) = record.require_migrated(by) {
            let data = self.account.try_borrow_data()?;
            let rule = rule_for(&terms.type_rules, &data);
            let arrived = rule.is_some_and(|rule| rule.is_migrated(&data, terms.to_version));
            let has_new_layout = arrived && *self.account.owner == terms.program;
            require!(!has_new_layout, ManagerError::RecordStatus);
            require!(!is_closed(&self.account), ManagerError::RecordStatus);
            return Ok((status, record.version));
        }
        let version = old_version(&self.account, terms)?.or_err(ManagerError::NotEligible)?;
        Ok((record.require_untouched(by)?, version))
    }

    /// Records that the account takes no part in the migration.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, slot) = (&*ctx.accounts, Clock::get()?.slot);
        let (config, mut state) = read_multisig_and_state(&accounts.multisig, &accounts.state)?;
        let mut proposal = read_upgrade_proposal(&state, &accounts.proposal)?;
        accounts.validate(&config, &state, &proposal)?;
        proposal.start_migrating();
        let by = proposal.executed_as(*accounts.proposal.key);
        let (account, terms, rent) = (accounts.account.key, &proposal.terms, Rent::get()?);
        let payer =
            Payer { payer: &accounts.payer, system_program: &accounts.system_program, rent: &rent };
        let (program, info) = (&state.program, &accounts.record);
        let mut record = read_or_create_record(program, account, terms.from_version, info, &payer)?;
        let (from, version) = accounts.status_and_version(terms, &by, &record)?;
        let hash_now = hash(&accounts.account.try_borrow_data()?).to_bytes();
        record.set_aside(AccountStatus::Quarantined, &by, version, hash_now, slot);
        state.counters.shift(from, AccountStatus::Quarantined)?;
        io::write(info, &*record)?;
        io::write(&accounts.state, &*state)?;
        io::write(&accounts.proposal, &*proposal)?;
        let event = AccountsMoved {
            proposal: *accounts.proposal.key,
            program: state.program,
            actor: *accounts.executor.key,
            status: AccountStatus::Quarantined,
            accounts: vec![AccountMove { account: *account, before: hash_now, after: hash_now }],
            counters: state.counters,
        };
        emit(&accounts.event_authority, &event)
    }
}
