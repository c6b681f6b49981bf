//! Closes a frozen buffer and its attestation. The attestation fixes who gets the rent of each.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::program::{read_proposal_if_any, read_state_if_any};
use crate::error::{ManagerError, OrErr as _};
use crate::events::{AccountClosed, ClosedKind};
use crate::external::loader;
use crate::external::loader::UpgradeAuthority;
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::seeds;
use crate::state::BufferAttestation;

/// Accounts of `close_buffer`.
#[derive(Accounts)]
pub struct CloseBuffer<'info> {
    /// Anyone; for a buffer that was never proposed, only who gets its rent back.
    pub closer: Signer<'info>,
    /// CHECK: the state of the buffer's program, which may be closed; `validate` checks it.
    pub state: UncheckedAccount<'info>,
    /// CHECK: the buffer, which may be empty; its attestation names it.
    #[account(mut)]
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: its attestation; `handle` reads it.
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
    /// CHECK: the address that holds the upgrade authority; `handle` checks it.
    pub authority: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader; `validate` checks it.
    pub loader: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> CloseBuffer<'info> {
    fn validate(&self, attestation: &BufferAttestation) -> Result<()> {
        require!(*self.loader.key == loader::ID, ManagerError::WrongProgram);
        require!(attestation.buffer == *self.buffer.key, ManagerError::WrongAccount);
        require!(attestation.refund == *self.refund.key, ManagerError::WrongAccount);
        require!(attestation.payer == *self.payer.key, ManagerError::WrongAccount);
        let state = read_state_if_any(&self.state, &attestation.program)?;
        let Some(key) = &attestation.proposal else {
            require!(*self.closer.key == attestation.refund, ManagerError::NotRefund);
            return Ok(());
        };
        // A proposal cannot be closed before its attestations, so it must still exist.
        let info = self.proposal.as_ref().or_err(ManagerError::WrongAccount)?;
        let proposal = read_proposal_if_any(info, key)?.or_err(ManagerError::WrongAccount)?;
        proposal.require_closable(key, state.as_deref(), Clock::get()?.unix_timestamp)
    }

    /// Whether the manager still holds the buffer. An upgrade or a rollback may have emptied it,
    /// and somebody may have created another buffer at its address.
    fn is_still_frozen(&self) -> Result<bool> {
        let data = self.buffer.try_borrow_data()?;
        let held = loader::buffer(self.buffer.owner, &data);
        Ok(held.is_ok_and(|held| held.authority == Some(*self.authority.key)))
    }

    /// Closes the buffer, if the manager still holds it, then the attestation.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = &*ctx.accounts;
        let attestation: Box<BufferAttestation> = io::read(&accounts.attestation)?;
        accounts.validate(&attestation)?;
        let program = attestation.program;
        let (address, bump) = seeds::authority(&program);
        require!(*accounts.authority.key == address, ManagerError::WrongAccount);
        if accounts.is_still_frozen()? {
            let authority = UpgradeAuthority { info: &accounts.authority, program: &program, bump };
            authority.close(&accounts.buffer, &accounts.refund, &accounts.loader)?;
        }
        let (kind, account) = (ClosedKind::Buffer, attestation.buffer);
        let event = AccountClosed { kind, account, program, refund: attestation.refund };
        emit(&accounts.event_authority, &event)?;
        io::close(&accounts.attestation, &accounts.payer)
    }
}
