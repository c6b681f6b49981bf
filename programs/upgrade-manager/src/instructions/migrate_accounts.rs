//! Migrates a batch of accounts. Anyone may call it: what happens to an account is fixed by the
//! terms and checked after the target's call, and the caller pays.
use anchor_lang::prelude::*;

use crate::emit::emit_sized;
use crate::error::ManagerError;
use crate::events::{AccountMove, AccountsMoved};
use crate::loader;
use crate::record;
use crate::seeds;
use crate::state::{AccountStatus, ProgramUpgradeState, UpgradeProposal};
use crate::stored::{self, Payer};
use crate::target::{Target, groups};

/// Accounts of `migrate_accounts`; behind them, for every account: the account `[w]` and its record
/// `[w]`, in ascending order of the accounts.
#[event_cpi]
#[derive(Accounts)]
pub struct MigrateAccounts<'info> {
    /// Pays for growth and records.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The program's state.
    #[account(
        mut,
        dup,
        seeds = [seeds::PROGRAM, state.program.as_ref()],
        bump = state.bump,
    )]
    pub state: Box<Account<'info, ProgramUpgradeState>>,
    /// The proposal.
    #[account(
        mut,
        dup,
        seeds = [
            seeds::PROPOSAL,
            state.program.as_ref(),
            &proposal.terms.id.to_le_bytes(),
        ],
        bump = proposal.bump,
    )]
    pub proposal: Box<Account<'info, UpgradeProposal>>,
    /// CHECK: the program's code; `validate` checks who may change it.
    #[account(address = state.program_data @ ManagerError::WrongAccount)]
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: an address that signs calls of the target and holds nothing.
    #[account(seeds = [seeds::MIGRATOR, state.program.as_ref()], bump = state.migrator_bump)]
    pub migrator: UncheckedAccount<'info>,
    /// CHECK: the target.
    #[account(address = state.program @ ManagerError::WrongAccount)]
    pub target_program: UncheckedAccount<'info>,
    /// Makes records and moves rent.
    pub system_program: Program<'info, System>,
}

impl<'info> MigrateAccounts<'info> {
    fn validate(&self, slot: u64) -> Result<()> {
        self.proposal.require_executed()?;
        self.state.require_migrating(&self.proposal.key())?;
        self.state.require_callable(slot)?;
        loader::require_authority(&self.program_data, &self.state.authority()?)
    }

    /// Migrates every account of the batch, or none.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, slot) = (ctx.accounts, Clock::get()?.slot);
        accounts.validate(slot)?;
        accounts.proposal.start_migrating();
        let groups = groups::<2>(ctx.remaining_accounts)?;
        let mut moves = Vec::with_capacity(groups.len());
        let rent = Rent::get()?;
        for [account, record] in groups {
            moves.push(accounts.migrate(account, record, &rent, slot)?);
        }
        let event = AccountsMoved {
            proposal: accounts.proposal.key(),
            program: accounts.state.program,
            actor: accounts.payer.key(),
            status: AccountStatus::Migrated,
            accounts: moves,
            counters: accounts.state.counters,
        };
        emit_sized(&accounts.event_authority, &event, event.size())
    }

    fn migrate(
        &mut self,
        account: &AccountInfo<'info>,
        info: &AccountInfo<'info>,
        rent: &Rent,
        slot: u64,
    ) -> Result<AccountMove> {
        let (key, terms) = (self.proposal.key(), &self.proposal.terms);
        let payer: &AccountInfo<'info> = &self.payer;
        let system_program: &AccountInfo<'info> = &self.system_program;
        let by = Payer { payer, system_program, rent };
        let mut record =
            record::load_or_create(&terms.program, account.key, terms.from_version, info, &by)?;
        let from = record.require_untouched(&key)?;
        let target = Target {
            terms,
            migrator: &self.migrator,
            migrator_bump: self.state.migrator_bump,
            program: &self.target_program,
            system_program,
            rent,
        };
        let done = target.migrate(account, payer)?;
        record.migrate(&done, terms, key, *payer.key, slot);
        stored::write(info, &*record)?;
        self.state.counters.shift(from, AccountStatus::Migrated)?;
        Ok(AccountMove { account: *account.key, before: done.old_hash, after: done.new_hash })
    }
}
