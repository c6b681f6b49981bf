//! Migrates a batch of accounts. Anyone may call this and pay for it: the terms fix what may happen
//! to an account, and the result is checked after the target's call. So a user's transaction can
//! start by migrating the account that it then uses.
use anchor_lang::prelude::*;

use crate::account_io::io::Payer;
use crate::account_io::multisig::{read_multisig_and_state, read_upgrade_proposal};
use crate::account_io::version::read_or_create_record;
use crate::account_io::{backup, io};
use crate::error::ManagerError;
use crate::events::{AccountMove, AccountsMoved};
use crate::external::loader;
use crate::external::target::Target;
use crate::runtime::batch::Batch;
use crate::runtime::emit::emit_sized;
use crate::runtime::require::require;
use crate::state::{
    AccountStatus, Executed, MultisigConfig, ProgramUpgradeState, ProposalStatus, UpgradeProposal,
};

/// Accounts of `migrate_accounts`; behind them, for every account: the account `[w]`, its record
/// `[w]` and, when its type is critical, its backup `[w]`, in ascending order of the accounts.
#[derive(Accounts)]
pub struct MigrateAccounts<'info> {
    /// Pays for growth, records and backups.
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
    /// CHECK: the program's code; `validate` checks who may change it.
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: the address that signs calls into the target; `validate` checks it.
    pub migrator: UncheckedAccount<'info>,
    /// CHECK: the target; `validate` checks it.
    pub target_program: UncheckedAccount<'info>,
    /// Makes records and moves rent.
    pub system_program: Program<'info, System>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> MigrateAccounts<'info> {
    fn validate(
        &self,
        config: &MultisigConfig,
        state: &ProgramUpgradeState,
        proposal: &UpgradeProposal,
        clock: &Clock,
    ) -> Result<()> {
        config.require_not_paused(clock.unix_timestamp)?;
        proposal.require_executed()?;
        state.require_migrating(self.proposal.key)?;
        state.require_callable(clock.slot)?;
        require!(*self.target_program.key == state.program, ManagerError::WrongAccount);
        require!(*self.program_data.key == state.program_data, ManagerError::WrongAccount);
        require!(*self.migrator.key == state.migrator(), ManagerError::WrongAccount);
        loader::require_authority(&self.program_data, &state.authority())
    }

    /// Migrates every account of the batch; one failure fails the whole instruction.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, clock) = (&*ctx.accounts, Clock::get()?);
        let (config, mut state) = read_multisig_and_state(&accounts.multisig, &accounts.state)?;
        let mut proposal = read_upgrade_proposal(&state, &accounts.proposal)?;
        accounts.validate(&config, &state, &proposal, &clock)?;
        let mut batch = Batch::of(ctx.remaining_accounts)?;
        let mut moves = Vec::with_capacity(ctx.remaining_accounts.len() / 2);
        let rent = Rent::get()?;
        let by =
            Payer { payer: &accounts.payer, system_program: &accounts.system_program, rent: &rent };
        let target = Target {
            terms: &proposal.terms,
            migrator: &accounts.migrator,
            migrator_bump: state.migrator_bump,
            program: &accounts.target_program,
            system_program: &accounts.system_program,
            rent: &rent,
        };
        let as_executed = proposal.executed_as(*accounts.proposal.key);
        let shared = MigrationBatch { target, by, executed: as_executed, slot: clock.slot };
        while let Some([account, info]) = batch.next()? {
            let (from, moved) = shared.migrate(account, info, &mut batch)?;
            state.counters.shift(from, AccountStatus::Migrated)?;
            moves.push(moved);
        }
        io::write(&accounts.state, &*state)?;
        if proposal.status == ProposalStatus::Executed {
            proposal.start_migrating();
            io::write(&accounts.proposal, &*proposal)?;
        }
        let event = AccountsMoved {
            proposal: *accounts.proposal.key,
            program: state.program,
            actor: *accounts.payer.key,
            status: AccountStatus::Migrated,
            accounts: moves,
            counters: state.counters,
        };
        emit_sized(&accounts.event_authority, &event, event.size())
    }
}

/// What is the same for every account of a batch.
struct MigrationBatch<'a, 'info> {
    target: Target<'a, 'info>,
    by: Payer<'a, 'info>,
    executed: Executed,
    slot: u64,
}

impl<'info> MigrationBatch<'_, 'info> {
    /// Migrates `account`, whose record is in `info`. Returns its status before and its part of the
    /// event.
    #[inline(never)]
    fn migrate(
        &self,
        account: &AccountInfo<'info>,
        info: &AccountInfo<'info>,
        batch: &mut Batch<'_, 'info>,
    ) -> Result<(AccountStatus, AccountMove)> {
        let (terms, payer, proposal) = (self.target.terms, self.by.payer, self.executed.proposal);
        let rule = self.target.rule(account)?;
        let mut record =
            read_or_create_record(&terms.program, account.key, terms.from_version, info, &self.by)?;
        let from = record.require_untouched(&self.executed)?;
        let old = self.target.inspect(account, rule)?;
        if rule.is_critical() {
            let of = (&terms.program, &proposal);
            backup::create(of, account, old.hash(), batch.backup()?, &self.by)?;
        }
        let done = self.target.migrate(old, account, payer)?;
        record.migrate(&done, proposal, *payer.key, self.slot);
        io::write(info, &*record)?;
        Ok((
            from,
            AccountMove { account: *account.key, before: done.old_hash, after: done.new_hash },
        ))
    }
}
