//! Closes an upgrade proposal that has ended. Its buffers' attestations must be closed first.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::program::{read_attestation_if_any, read_state_if_any};
use crate::error::ManagerError;
use crate::events::{AccountClosed, ClosedKind};
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::UpgradeProposal;

/// Accounts of `close_proposal`.
#[derive(Accounts)]
pub struct CloseProposal<'info> {
    /// Signs the transaction; anyone may close.
    pub closer: Signer<'info>,
    /// CHECK: the program's state, which may be closed; `validate` checks it.
    pub state: UncheckedAccount<'info>,
    /// CHECK: the proposal; `handle` reads it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: must not be this proposal's attestation any more; `validate` checks it.
    pub upgrade_attestation: UncheckedAccount<'info>,
    /// CHECK: must not be this proposal's attestation any more; `validate` checks it.
    pub rollback_attestation: UncheckedAccount<'info>,
    /// CHECK: gets the rent; `validate` checks it.
    #[account(mut)]
    pub payer: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> CloseProposal<'info> {
    fn validate(&self, proposal: &UpgradeProposal) -> Result<()> {
        let (key, terms) = (*self.proposal.key, &proposal.terms);
        require!(proposal.payer == *self.payer.key, ManagerError::WrongAccount);
        let state = read_state_if_any(&self.state, &terms.program)?;
        proposal.require_closable(&key, state.as_deref(), Clock::get()?.unix_timestamp)?;
        for (info, buffer) in [
            (&self.upgrade_attestation, &terms.upgrade.buffer),
            (&self.rollback_attestation, &terms.rollback.buffer),
        ] {
            let known = read_attestation_if_any(info, buffer)?;
            // Somebody may have created another buffer at the same address since.
            let still_attested = known.is_some_and(|known| known.proposal == Some(key));
            require!(!still_attested, ManagerError::BuffersOpen);
        }
        Ok(())
    }

    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = &*ctx.accounts;
        let proposal: Box<UpgradeProposal> = io::read(&accounts.proposal)?;
        accounts.validate(&proposal)?;
        let event = AccountClosed {
            kind: ClosedKind::Proposal,
            account: *accounts.proposal.key,
            program: proposal.terms.program,
            refund: proposal.payer,
        };
        emit(&accounts.event_authority, &event)?;
        io::close(&accounts.proposal, &accounts.payer)
    }
}
