//! Closes a frozen buffer and its attestation. The rent goes to whom it came from; nobody chooses.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::{AccountClosed, ClosedKind};
use crate::loader::{self, Authority};
use crate::seeds;
use crate::state::{BufferAttestation, ProgramUpgradeState, UpgradeProposal};

/// Accounts of `close_buffer`.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseBuffer<'info> {
    /// Asks; for a buffer that was never proposed, who gets the rent back.
    pub closer: Signer<'info>,
    /// The program that the buffer was for.
    #[account(seeds = [seeds::PROGRAM, state.program.as_ref()], bump = state.bump)]
    pub state: Box<Account<'info, ProgramUpgradeState>>,
    /// CHECK: the buffer, or what has become of it; the attestation's address names it.
    #[account(mut)]
    pub buffer: UncheckedAccount<'info>,
    /// What the manager knows about it.
    #[account(
        mut,
        dup,
        close = payer,
        seeds = [seeds::ATTESTATION, buffer.key().as_ref()],
        bump = attestation.bump,
        constraint = attestation.program == state.program @ ManagerError::WrongAccount,
    )]
    pub attestation: Box<Account<'info, BufferAttestation>>,
    /// The proposal that pinned the buffer.
    pub proposal: Option<Box<Account<'info, UpgradeProposal>>>,
    /// CHECK: gets the buffer's rent.
    #[account(mut, address = attestation.refund @ ManagerError::WrongAccount)]
    pub refund: UncheckedAccount<'info>,
    /// CHECK: gets the attestation's rent.
    #[account(mut, address = attestation.payer @ ManagerError::WrongAccount)]
    pub payer: UncheckedAccount<'info>,
    /// CHECK: an address that signs loader calls and holds nothing.
    #[account(seeds = [seeds::AUTHORITY, state.program.as_ref()], bump = state.authority_bump)]
    pub authority: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader.
    #[account(address = loader::ID)]
    pub loader: UncheckedAccount<'info>,
}

impl<'info> CloseBuffer<'info> {
    fn validate(&self) -> Result<()> {
        match (&self.attestation.proposal, &self.proposal) {
            (None, _) => {
                let closer = self.closer.key();
                control!(closer == self.attestation.refund, ManagerError::NotRefund);
                Ok(())
            }
            (Some(key), Some(proposal)) => {
                control!(*key == proposal.key(), ManagerError::WrongAccount);
                proposal.require_ended(Clock::get()?.unix_timestamp)
            }
            (Some(_), None) => Err(ManagerError::WrongAccount.into()),
        }
    }

    /// An upgrade or a rollback may have emptied the buffer, and somebody else may have made
    /// another at its address.
    fn is_ours(&self) -> Result<bool> {
        let data = self.buffer.try_borrow_data()?;
        let held = loader::buffer(self.buffer.owner, &data);
        Ok(held.is_ok_and(|held| held.authority == Some(self.authority.key())))
    }

    /// Closes what is left of the buffer; Anchor then closes the attestation.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = ctx.accounts;
        accounts.validate()?;
        if accounts.is_ours()? {
            let (program, bump) = (&accounts.state.program, accounts.state.authority_bump);
            let authority = Authority { info: &accounts.authority, program, bump };
            authority.close(&accounts.buffer, &accounts.refund, &accounts.loader)?;
        }
        let event = AccountClosed {
            kind: ClosedKind::Buffer,
            account: accounts.buffer.key(),
            program: accounts.state.program,
            refund: accounts.refund.key(),
        };
        emit(&accounts.event_authority, &event)
    }
}
