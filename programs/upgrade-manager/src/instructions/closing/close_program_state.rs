//! Closes the state of a program whose upgrade authority was handed over.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::error::ManagerError;
use crate::events::{AccountClosed, ClosedKind};
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::{Phase, ProgramUpgradeState};

/// Accounts of `close_program_state`.
#[derive(Accounts)]
pub struct CloseProgramState<'info> {
    /// Signs the transaction; anyone may close.
    pub closer: Signer<'info>,
    /// CHECK: the state; `handle` reads it.
    #[account(mut)]
    pub state: UncheckedAccount<'info>,
    /// CHECK: gets the rent: who paid for the account.
    #[account(mut)]
    pub payer: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> CloseProgramState<'info> {
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = ctx.accounts;
        let state: Box<ProgramUpgradeState> = io::read(&accounts.state)?;
        require!(state.phase == Phase::Released, ManagerError::NotReleased);
        require!(accounts.payer.key() == state.payer, ManagerError::WrongAccount);
        let event = AccountClosed {
            kind: ClosedKind::ProgramState,
            account: accounts.state.key(),
            program: state.program,
            refund: accounts.payer.key(),
        };
        emit(&accounts.event_authority, &event)?;
        io::close(&accounts.state, &accounts.payer)
    }
}
