//! Records the hash of a frozen buffer with new code. Anyone may call this: nobody can choose the
//! outcome.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::program::{read_attestation, read_state};
use crate::events::BufferAttested;
use crate::external::loader;
use crate::runtime::emit::emit;
use crate::state::{BufferAttestation, BufferRole, ProgramUpgradeState, elf};

/// Accounts of `attest_buffer`.
#[derive(Accounts)]
pub struct AttestBuffer<'info> {
    /// CHECK: the state of the program that the buffer is for; `handle` reads it.
    pub state: UncheckedAccount<'info>,
    /// CHECK: the buffer; `validate` reads it.
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: the attestation of the buffer; `handle` reads it.
    #[account(mut)]
    pub attestation: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> AttestBuffer<'info> {
    /// Checks the buffer and returns the hash of its ELF.
    fn validate(
        &self,
        state: &ProgramUpgradeState,
        attestation: &BufferAttestation,
        trimmed_len: u32,
    ) -> Result<[u8; 32]> {
        attestation.require_unattested(BufferRole::Upgrade)?;
        let data = self.buffer.try_borrow_data()?;
        let held = loader::buffer(self.buffer.owner, &data)?;
        let elf = held.require_frozen(&state.authority())?;
        let sha256 = elf::elf_hash(elf::trimmed(elf, trimmed_len)?)?;
        elf::require_whole(elf)?;
        Ok(sha256)
    }

    /// Records the hash in the attestation.
    pub(crate) fn handle(ctx: Context<'info, Self>, trimmed_len: u32) -> Result<()> {
        let accounts = &*ctx.accounts;
        let state = read_state(&accounts.state)?;
        let (info, buffer) = (&accounts.attestation, &accounts.buffer);
        let mut attestation = read_attestation(info, buffer, &state.program)?;
        let sha256 = accounts.validate(&state, &attestation, trimmed_len)?;
        attestation.attest(trimmed_len, sha256, Clock::get()?.slot);
        io::write(info, &*attestation)?;
        let (buffer, program, role) = (*buffer.key, state.program, BufferRole::Upgrade);
        emit(&accounts.event_authority, &BufferAttested { buffer, program, role, sha256 })
    }
}
