//! Closes a multisig that was dissolved.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::error::ManagerError;
use crate::events::{AccountClosed, ClosedKind};
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::MultisigConfig;

/// Accounts of `close_multisig`.
#[derive(Accounts)]
pub struct CloseMultisig<'info> {
    /// Signs the transaction; anyone may close.
    pub closer: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: gets the rent: who paid for the account.
    #[account(mut)]
    pub payer: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> CloseMultisig<'info> {
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = ctx.accounts;
        let config: Box<MultisigConfig> = io::read(&accounts.multisig)?;
        require!(config.dissolved, ManagerError::ProgramsRegistered);
        require!(accounts.payer.key() == config.payer, ManagerError::WrongAccount);
        let event = AccountClosed {
            kind: ClosedKind::Multisig,
            account: accounts.multisig.key(),
            program: Pubkey::default(),
            refund: accounts.payer.key(),
        };
        emit(&accounts.event_authority, &event)?;
        io::close(&accounts.multisig, &accounts.payer)
    }
}
