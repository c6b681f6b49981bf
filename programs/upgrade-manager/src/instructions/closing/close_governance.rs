//! Closes a governance proposal that has ended. Its id is never used again.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::error::ManagerError;
use crate::events::{AccountClosed, ClosedKind};
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::GovernanceProposal;

/// Accounts of `close_governance`.
#[derive(Accounts)]
pub struct CloseGovernance<'info> {
    /// Signs the transaction; anyone may close.
    pub closer: Signer<'info>,
    /// CHECK: the proposal; `handle` reads it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: gets the rent: who paid for the account.
    #[account(mut)]
    pub payer: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> CloseGovernance<'info> {
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = ctx.accounts;
        let proposal: Box<GovernanceProposal> = io::read(&accounts.proposal)?;
        proposal.require_closable()?;
        require!(accounts.payer.key() == proposal.payer, ManagerError::WrongAccount);
        let event = AccountClosed {
            kind: ClosedKind::Governance,
            account: accounts.proposal.key(),
            program: proposal.terms.action.program().unwrap_or_default(),
            refund: accounts.payer.key(),
        };
        emit(&accounts.event_authority, &event)?;
        io::close(&accounts.proposal, &accounts.payer)
    }
}
