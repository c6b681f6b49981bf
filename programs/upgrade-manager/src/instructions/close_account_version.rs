//! Closes the record of an account that no rollback can need any more.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::{AccountClosed, ClosedKind};
use crate::seeds;
use crate::state::{AccountVersion, ProgramUpgradeState, UpgradeProposal};

/// Accounts of `close_account_version`.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseAccountVersion<'info> {
    /// Asks.
    pub closer: Signer<'info>,
    /// The program.
    #[account(seeds = [seeds::PROGRAM, state.program.as_ref()], bump = state.bump)]
    pub state: Box<Account<'info, ProgramUpgradeState>>,
    /// The record.
    #[account(
        mut,
        dup,
        close = payer,
        seeds = [seeds::VERSION, state.program.as_ref(), record.account.as_ref()],
        bump = record.bump,
    )]
    pub record: Box<Account<'info, AccountVersion>>,
    /// CHECK: the proposal that touched the account last, which may be closed; `validate` looks.
    #[account(address = record.proposal @ ManagerError::WrongAccount)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: gets the rent.
    #[account(mut, address = record.payer @ ManagerError::WrongAccount)]
    pub payer: UncheckedAccount<'info>,
}

impl<'info> CloseAccountVersion<'info> {
    fn validate(&self) -> Result<()> {
        self.state.require_steady()?;
        let needed = self.state.last_executed == Some(self.record.proposal);
        if needed && *self.proposal.owner == crate::ID {
            let data = self.proposal.try_borrow_data()?;
            let proposal = UpgradeProposal::try_deserialize(&mut &data[..])?;
            proposal.require_ended(Clock::get()?.unix_timestamp)?;
        }
        Ok(())
    }

    /// Says so; Anchor then closes the record.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = ctx.accounts;
        accounts.validate()?;
        let event = AccountClosed {
            kind: ClosedKind::AccountVersion,
            account: accounts.record.key(),
            program: accounts.state.program,
            refund: accounts.payer.key(),
        };
        emit(&accounts.event_authority, &event)
    }
}
