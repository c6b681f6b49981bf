//! Closes a frozen buffer and its attestation. The rent goes to whom it came from; nobody chooses.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::{ManagerError, OrRefuse as _};
use crate::events::{AccountClosed, ClosedKind};
use crate::loader::{self, Authority};
use crate::state::BufferAttestation;
use crate::{known, seeds, stored};

/// Accounts of `close_buffer`.
#[derive(Accounts)]
pub struct CloseBuffer<'info> {
    /// Asks; for a buffer that was never proposed, who gets the rent back.
    pub closer: Signer<'info>,
    /// CHECK: the state of the program that the buffer was for, which may be closed; `validate`
    /// looks.
    pub state: UncheckedAccount<'info>,
    /// CHECK: the buffer, or what has become of it; its attestation names it.
    #[account(mut)]
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: what the manager knows about it; `handle` reads it.
    #[account(mut)]
    pub attestation: UncheckedAccount<'info>,
    /// CHECK: the proposal that pinned the buffer; `validate` reads it.
    pub proposal: Option<UncheckedAccount<'info>>,
    /// CHECK: gets the buffer's rent; `validate` checks it.
    #[account(mut)]
    pub refund: UncheckedAccount<'info>,
    /// CHECK: gets the attestation's rent; `validate` checks it.
    #[account(mut)]
    pub payer: UncheckedAccount<'info>,
    /// CHECK: an address that signs loader calls and holds nothing; `handle` checks it.
    pub authority: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader; `validate` checks it.
    pub loader: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which events are sent to.
    pub program: UncheckedAccount<'info>,
}

impl<'info> CloseBuffer<'info> {
    fn validate(&self, attestation: &BufferAttestation) -> Result<()> {
        control!(*self.loader.key == loader::ID, ManagerError::WrongProgram);
        control!(attestation.buffer == *self.buffer.key, ManagerError::WrongAccount);
        control!(attestation.refund == *self.refund.key, ManagerError::WrongAccount);
        control!(attestation.payer == *self.payer.key, ManagerError::WrongAccount);
        let state = known::program_if_any(&self.state, &attestation.program)?;
        let Some(key) = &attestation.proposal else {
            control!(*self.closer.key == attestation.refund, ManagerError::NotRefund);
            return Ok(());
        };
        // A proposal stays until its attestations are closed.
        let info = self.proposal.as_ref().or_refuse(ManagerError::WrongAccount)?;
        let proposal = known::proposal_if_any(info, key)?.or_refuse(ManagerError::WrongAccount)?;
        proposal.require_over(key, state.as_deref(), Clock::get()?.unix_timestamp)
    }

    /// An upgrade or a rollback may have emptied the buffer, and somebody else may have made
    /// another at its address.
    fn is_ours(&self) -> Result<bool> {
        let data = self.buffer.try_borrow_data()?;
        let held = loader::buffer(self.buffer.owner, &data);
        Ok(held.is_ok_and(|held| held.authority == Some(*self.authority.key)))
    }

    /// Closes what is left of the buffer, then the attestation.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = &*ctx.accounts;
        let attestation: Box<BufferAttestation> = stored::read(&accounts.attestation)?;
        accounts.validate(&attestation)?;
        let program = attestation.program;
        let (address, bump) = seeds::authority(&program);
        control!(*accounts.authority.key == address, ManagerError::WrongAccount);
        if accounts.is_ours()? {
            let authority = Authority { info: &accounts.authority, program: &program, bump };
            authority.close(&accounts.buffer, &accounts.refund, &accounts.loader)?;
        }
        let (kind, account) = (ClosedKind::Buffer, attestation.buffer);
        let event = AccountClosed { kind, account, program, refund: attestation.refund };
        emit(&accounts.event_authority, &event)?;
        stored::close(&accounts.attestation, &accounts.payer)
    }
}
