//! Moves a buffer's authority to the manager, which fixes its bytes: the loader's `Write` cannot be
//! called by a program. Fixes, too, who gets its rent back.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::BufferFrozen;
use crate::loader::{self, Authority};
use crate::seeds;
use crate::state::{BufferAttestation, BufferRole, LAYOUT, ProgramUpgradeState};

/// Accounts of `freeze_buffer`.
#[event_cpi]
#[derive(Accounts)]
pub struct FreezeBuffer<'info> {
    /// Has the buffer now, and gets its rent back.
    pub current_authority: Signer<'info>,
    /// Pays for the attestation.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The program that the buffer is for.
    #[account(seeds = [seeds::PROGRAM, state.program.as_ref()], bump = state.bump)]
    pub state: Box<Account<'info, ProgramUpgradeState>>,
    /// CHECK: the buffer; `validate` reads it.
    #[account(mut)]
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: an address that signs loader calls and holds nothing.
    #[account(seeds = [seeds::AUTHORITY, state.program.as_ref()], bump = state.authority_bump)]
    pub authority: UncheckedAccount<'info>,
    /// What the manager will know about the buffer.
    #[account(
        init,
        payer = payer,
        space = 8 + BufferAttestation::INIT_SPACE,
        seeds = [seeds::ATTESTATION, buffer.key().as_ref()],
        bump,
    )]
    pub attestation: Box<Account<'info, BufferAttestation>>,
    /// CHECK: the upgradeable loader.
    #[account(address = loader::ID)]
    pub loader: UncheckedAccount<'info>,
    /// Makes the account.
    pub system_program: Program<'info, System>,
}

impl<'info> FreezeBuffer<'info> {
    /// Checks who has the buffer and returns the bytes behind its header.
    fn validate(&self) -> Result<u32> {
        let data = self.buffer.try_borrow_data()?;
        let held = loader::buffer(self.buffer.owner, &data)?;
        let current = Some(self.current_authority.key());
        control!(held.authority == current, ManagerError::NotBufferAuthority);
        // The loader does not close a buffer into itself: neither its rent nor that of its
        // proposal could ever go back.
        let (buffer, refund) = (self.buffer.key(), self.current_authority.key());
        control!(buffer != refund, ManagerError::WrongAccount);
        Ok(u32::try_from(held.elf.len()).map_err(|_| ManagerError::ElfTooLarge)?)
    }

    /// Takes the buffer over.
    pub(crate) fn handle(ctx: Context<'info, Self>, role: BufferRole) -> Result<()> {
        let accounts = ctx.accounts;
        let len = accounts.validate()?;
        let (program, bump) = (accounts.state.program, accounts.state.authority_bump);
        let authority = Authority { info: &accounts.authority, program: &program, bump };
        authority.take(&accounts.buffer, &accounts.current_authority, &accounts.loader)?;
        let (buffer, refund) = (accounts.buffer.key(), accounts.current_authority.key());
        accounts.attestation.set_inner(BufferAttestation {
            layout: LAYOUT,
            bump: ctx.bumps.attestation,
            buffer,
            program,
            role,
            len,
            trimmed_len: 0,
            sha256: [0; 32],
            attested: false,
            attested_slot: 0,
            proposal: None,
            refund,
            payer: accounts.payer.key(),
            reserved: [0; 48],
        });
        let event = BufferFrozen { buffer, program, role, len, refund };
        emit(&accounts.event_authority, &event)
    }
}
