//! Brings migrated accounts back to their old layout, once the members have voted for rollback: the
//! exact old bytes while nobody has changed an account, the target's own computation otherwise.
use anchor_lang::prelude::*;

use crate::emit::emit_sized;
use crate::error::ManagerError;
use crate::events::{AccountMove, AccountsMoved};
use crate::loader;
use crate::record;
use crate::seeds;
use crate::state::{AccountStatus, MultisigConfig, ProgramUpgradeState, UpgradeProposal, role};
use crate::stored;
use crate::target::{RestoreItem, Target, groups};

/// Accounts of `restore_accounts`; behind them, for every account: the account `[w]`, its record
/// `[w]` and who paid for its growth `[w]`, in ascending order of the accounts.
#[event_cpi]
#[derive(Accounts)]
pub struct RestoreAccounts<'info> {
    /// Restores.
    pub executor: Signer<'info>,
    /// Pays for accounts that were larger before.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The team.
    #[account(seeds = [seeds::MULTISIG, multisig.create_key.as_ref()], bump = multisig.bump)]
    pub multisig: Box<Account<'info, MultisigConfig>>,
    /// The program's state.
    #[account(
        mut,
        dup,
        seeds = [seeds::PROGRAM, state.program.as_ref()],
        bump = state.bump,
        has_one = multisig @ ManagerError::WrongAccount,
    )]
    pub state: Box<Account<'info, ProgramUpgradeState>>,
    /// The proposal.
    #[account(
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
    /// Moves rent.
    pub system_program: Program<'info, System>,
}

impl<'info> RestoreAccounts<'info> {
    fn validate(&self, slot: u64) -> Result<()> {
        self.multisig.require_role(&self.executor.key(), role::EXECUTE)?;
        self.proposal.require_rolling_back()?;
        self.state.require_rolling_back(&self.proposal.key())?;
        self.state.require_callable(slot)?;
        loader::require_authority(&self.program_data, &self.state.authority()?)
    }

    /// Restores every account of the batch, or none.
    pub(crate) fn handle(ctx: Context<'info, Self>, items: Vec<RestoreItem>) -> Result<()> {
        let (accounts, slot) = (ctx.accounts, Clock::get()?.slot);
        accounts.validate(slot)?;
        let groups = groups::<3>(ctx.remaining_accounts)?;
        control!(groups.len() == items.len(), ManagerError::BadBatch);
        let mut moves = Vec::with_capacity(items.len());
        let rent = Rent::get()?;
        for (group, item) in groups.iter().zip(items) {
            moves.push(accounts.restore(group, item, &rent, slot)?);
        }
        let event = AccountsMoved {
            proposal: accounts.proposal.key(),
            program: accounts.state.program,
            actor: accounts.executor.key(),
            status: AccountStatus::Restored,
            accounts: moves,
            counters: accounts.state.counters,
        };
        emit_sized(&accounts.event_authority, &event, event.size())
    }

    fn restore(
        &mut self,
        [account, info, refund]: &[AccountInfo<'info>; 3],
        item: RestoreItem,
        rent: &Rent,
        slot: u64,
    ) -> Result<AccountMove> {
        let (key, terms) = (self.proposal.key(), &self.proposal.terms);
        let mut record = record::load(&terms.program, account.key, info)?;
        let from = record.require_migrated(&key)?;
        control!(*refund.key == record.rent_payer, ManagerError::WrongAccount);
        let target = Target {
            terms,
            migrator: &self.migrator,
            migrator_bump: self.state.migrator_bump,
            program: &self.target_program,
            system_program: &self.system_program,
            rent,
        };
        let (before, after, freed) = target.restore(&record, item, account, refund, &self.payer)?;
        record.restore(freed, slot);
        stored::write(info, &*record)?;
        self.state.counters.shift(from, AccountStatus::Restored)?;
        Ok(AccountMove { account: *account.key, before, after })
    }
}
