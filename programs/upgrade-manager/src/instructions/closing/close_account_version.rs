//! Closes the version record of an account, once no rollback can need it.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::program::{read_proposal_if_any, read_state_if_any};
use crate::error::ManagerError;
use crate::events::{AccountClosed, ClosedKind};
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::AccountVersion;

/// Accounts of `close_account_version`.
#[derive(Accounts)]
pub struct CloseAccountVersion<'info> {
    /// Signs the transaction; anyone may close.
    pub closer: Signer<'info>,
    /// CHECK: the program's state, which may be closed; `validate` checks it.
    pub state: UncheckedAccount<'info>,
    /// CHECK: the record; `handle` reads it.
    #[account(mut)]
    pub record: UncheckedAccount<'info>,
    /// CHECK: the proposal that changed the record last, if open; `validate` checks it.
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: gets the rent; `validate` checks it.
    #[account(mut)]
    pub payer: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> CloseAccountVersion<'info> {
    fn validate(&self, record: &AccountVersion) -> Result<()> {
        require!(record.payer == *self.payer.key, ManagerError::WrongAccount);
        let state = read_state_if_any(&self.state, &record.program)?;
        let proposal = read_proposal_if_any(&self.proposal, &record.proposal)?;
        let now = Clock::get()?.unix_timestamp;
        record.require_closable(state.as_deref(), proposal.as_deref(), now)
    }

    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = &*ctx.accounts;
        let record: Box<AccountVersion> = io::read(&accounts.record)?;
        accounts.validate(&record)?;
        let event = AccountClosed {
            kind: ClosedKind::AccountVersion,
            account: *accounts.record.key,
            program: record.program,
            refund: record.payer,
        };
        emit(&accounts.event_authority, &event)?;
        io::close(&accounts.record, &accounts.payer)
    }
}
