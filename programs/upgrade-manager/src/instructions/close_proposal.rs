//! Closes a proposal that has ended, after its buffers. Its id is never used again.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::{AccountClosed, ClosedKind};
use crate::seeds;
use crate::state::{BufferAttestation, ProgramUpgradeState, UpgradeProposal};

/// Accounts of `close_proposal`.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseProposal<'info> {
    /// Asks.
    pub closer: Signer<'info>,
    /// The program.
    #[account(seeds = [seeds::PROGRAM, state.program.as_ref()], bump = state.bump)]
    pub state: Box<Account<'info, ProgramUpgradeState>>,
    /// The proposal.
    #[account(
        mut,
        dup,
        close = payer,
        seeds = [
            seeds::PROPOSAL,
            state.program.as_ref(),
            &proposal.terms.id.to_le_bytes(),
        ],
        bump = proposal.bump,
    )]
    pub proposal: Box<Account<'info, UpgradeProposal>>,
    /// CHECK: must not be this proposal's attestation any more; `validate` looks.
    #[account(seeds = [seeds::ATTESTATION, proposal.terms.upgrade.buffer.as_ref()], bump)]
    pub upgrade_attestation: UncheckedAccount<'info>,
    /// CHECK: must not be this proposal's attestation any more; `validate` looks.
    #[account(seeds = [seeds::ATTESTATION, proposal.terms.rollback.buffer.as_ref()], bump)]
    pub rollback_attestation: UncheckedAccount<'info>,
    /// CHECK: gets the rent.
    #[account(mut, address = proposal.payer @ ManagerError::WrongAccount)]
    pub payer: UncheckedAccount<'info>,
}

impl<'info> CloseProposal<'info> {
    fn validate(&self) -> Result<()> {
        let key = self.proposal.key();
        self.proposal.require_ended(Clock::get()?.unix_timestamp)?;
        control!(self.state.live_proposal != Some(key), ManagerError::NotEnded);
        for attestation in [&self.upgrade_attestation, &self.rollback_attestation] {
            if *attestation.owner == crate::ID {
                let data = attestation.try_borrow_data()?;
                let known = BufferAttestation::try_deserialize(&mut &data[..])?;
                // Another buffer may have been made at the same address since.
                control!(known.proposal != Some(key), ManagerError::BuffersOpen);
            }
        }
        Ok(())
    }

    /// Says so; Anchor then closes the proposal.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = ctx.accounts;
        accounts.validate()?;
        let event = AccountClosed {
            kind: ClosedKind::Proposal,
            account: accounts.proposal.key(),
            program: accounts.state.program,
            refund: accounts.payer.key(),
        };
        emit(&accounts.event_authority, &event)
    }
}
