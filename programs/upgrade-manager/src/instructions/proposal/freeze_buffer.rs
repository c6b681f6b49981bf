//! Moves a buffer's authority to the manager. Its bytes can then never change, because no program
//! can call the loader's `Write`. Also records who gets the buffer's rent back.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::io::Payer;
use crate::account_io::program::read_state;
use crate::error::{ManagerError, OrErr as _};
use crate::events::BufferFrozen;
use crate::external::loader;
use crate::external::loader::UpgradeAuthority;
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::seeds;
use crate::state::{BufferAttestation, BufferRole, FrozenBuffer, ProgramUpgradeState};

/// Accounts of `freeze_buffer`.
#[derive(Accounts)]
pub struct FreezeBuffer<'info> {
    /// The buffer's present authority; gets its rent back.
    pub current_authority: Signer<'info>,
    /// Pays for the attestation.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// CHECK: the state of the program that the buffer is for; `handle` reads it.
    pub state: UncheckedAccount<'info>,
    /// CHECK: the buffer; `validate` reads it.
    #[account(mut)]
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: the address that holds the upgrade authority; `validate` checks it.
    pub authority: UncheckedAccount<'info>,
    /// CHECK: the new attestation; `io::create` makes it at its address.
    #[account(mut)]
    pub attestation: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader; `validate` checks it.
    pub loader: UncheckedAccount<'info>,
    /// Makes the account.
    pub system_program: Program<'info, System>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> FreezeBuffer<'info> {
    /// Checks the buffer's authority and returns how many bytes are behind its header.
    fn validate(&self, state: &ProgramUpgradeState) -> Result<u32> {
        require!(*self.loader.key == loader::ID, ManagerError::WrongProgram);
        require!(*self.authority.key == state.authority(), ManagerError::WrongAccount);
        let data = self.buffer.try_borrow_data()?;
        let held = loader::buffer(self.buffer.owner, &data)?;
        let current = Some(*self.current_authority.key);
        require!(held.authority == current, ManagerError::NotBufferAuthority);
        // The loader refuses to close a buffer into itself, so neither the buffer nor its proposal
        // could ever be closed.
        require!(self.buffer.key != self.current_authority.key, ManagerError::WrongAccount);
        u32::try_from(held.elf.len()).or_err(ManagerError::ElfTooLarge)
    }

    /// Moves the authority and creates the attestation.
    pub(crate) fn handle(ctx: Context<'info, Self>, role: BufferRole) -> Result<()> {
        let accounts = &*ctx.accounts;
        let state = read_state(&accounts.state)?;
        let len = accounts.validate(&state)?;
        let (program, buffer, rent) = (state.program, *accounts.buffer.key, Rent::get()?);
        let authority = UpgradeAuthority {
            info: &accounts.authority,
            program: &program,
            bump: state.authority_bump,
        };
        authority.take_over(&accounts.buffer, &accounts.current_authority, &accounts.loader)?;
        let by =
            Payer { payer: &accounts.payer, system_program: &accounts.system_program, rent: &rent };
        let (seeds, space) =
            ([seeds::ATTESTATION, buffer.as_ref()], 8 + BufferAttestation::INIT_SPACE);
        let bump = io::create(&accounts.attestation, &seeds, space, &by)?;
        let refund = *accounts.current_authority.key;
        let frozen = FrozenBuffer { buffer, program, role, len, refund };
        let attestation = BufferAttestation::new(&frozen, *accounts.payer.key, bump);
        io::write(&accounts.attestation, &attestation)?;
        let event = BufferFrozen { buffer, program, role, len, refund };
        emit(&accounts.event_authority, &event)
    }
}
