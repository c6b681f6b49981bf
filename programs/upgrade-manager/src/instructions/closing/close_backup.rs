//! Closes the backup of an account, once the account is back on its old layout or no rollback can
//! restore it any more.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::program::{read_proposal_if_any, read_record_if_any, read_state_if_any};
use crate::error::ManagerError;
use crate::events::{AccountClosed, ClosedKind};
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::AccountBackup;

/// Accounts of `close_backup`.
#[derive(Accounts)]
pub struct CloseBackup<'info> {
    /// Signs the transaction; anyone may close.
    pub closer: Signer<'info>,
    /// CHECK: the program's state, which may be closed; `validate` checks it.
    pub state: UncheckedAccount<'info>,
    /// CHECK: the backup; `handle` reads it.
    #[account(mut)]
    pub backup: UncheckedAccount<'info>,
    /// CHECK: the record of its account, which may be closed; `validate` checks it.
    pub record: UncheckedAccount<'info>,
    /// CHECK: the proposal it was made for, which may be closed; `validate` checks it.
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: gets the rent; `validate` checks it.
    #[account(mut)]
    pub payer: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> CloseBackup<'info> {
    fn validate(&self, backup: &AccountBackup) -> Result<()> {
        require!(backup.payer == *self.payer.key, ManagerError::WrongAccount);
        let state = read_state_if_any(&self.state, &backup.program)?;
        let record = read_record_if_any(&self.record, &backup.program, &backup.account)?;
        let proposal = read_proposal_if_any(&self.proposal, &backup.proposal)?;
        let now = Clock::get()?.unix_timestamp;
        backup.require_closable(state.as_deref(), record.as_deref(), proposal.as_deref(), now)
    }

    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = &*ctx.accounts;
        let backup: Box<AccountBackup> = io::read(&accounts.backup)?;
        accounts.validate(&backup)?;
        let event = AccountClosed {
            kind: ClosedKind::Backup,
            account: *accounts.backup.key,
            program: backup.program,
            refund: backup.payer,
        };
        emit(&accounts.event_authority, &event)?;
        io::close(&accounts.backup, &accounts.payer)
    }
}
