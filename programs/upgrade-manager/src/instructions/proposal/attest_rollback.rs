//! Checks that a frozen buffer holds exactly the code that runs, so that it can serve for a
//! rollback, and records its hash. Anyone may call this: nobody can choose the outcome. A program
//! that is too large to be hashed in one transaction gets its own recorded hash from the first such
//! buffer.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::program::{read_attestation, read_state};
use crate::error::ManagerError;
use crate::events::BufferAttested;
use crate::external::loader;
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::{BufferAttestation, BufferRole, ProgramUpgradeState, elf};

/// Accounts of `attest_rollback`.
#[derive(Accounts)]
pub struct AttestRollback<'info> {
    /// CHECK: the state of the program that the buffer is for; `handle` reads it.
    #[account(mut)]
    pub state: UncheckedAccount<'info>,
    /// CHECK: the code that runs; `validate` reads it.
    pub program_data: UncheckedAccount<'info>,
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

impl<'info> AttestRollback<'info> {
    /// Compares the buffer with the code that runs and returns its hash.
    fn validate(
        &self,
        state: &ProgramUpgradeState,
        attestation: &BufferAttestation,
        trimmed_len: u32,
    ) -> Result<[u8; 32]> {
        attestation.require_unattested(BufferRole::Rollback)?;
        require!(*self.program_data.key == state.program_data, ManagerError::WrongAccount);
        let data = self.buffer.try_borrow_data()?;
        let held = loader::buffer(self.buffer.owner, &data)?;
        let whole = held.require_frozen(&state.authority())?;
        let elf = elf::trimmed(whole, trimmed_len)?;
        let live = self.program_data.try_borrow_data()?;
        let live = loader::program_data(self.program_data.owner, &live)?;
        elf::require_same_code(elf, live.elf)?;
        // The loader refuses a buffer that is longer than the program's account, even when it is
        // longer only by zeros, and that account cannot always be extended far enough.
        require!(whole.len() <= live.elf.len(), ManagerError::RollbackNotLive);
        let sha256 = attestation.code_hash(elf)?;
        elf::require_whole(whole)?;
        Ok(sha256)
    }

    /// Records the hash in the attestation.
    pub(crate) fn handle(ctx: Context<'info, Self>, trimmed_len: u32) -> Result<()> {
        let accounts = &*ctx.accounts;
        let mut state = read_state(&accounts.state)?;
        let (info, buffer) = (&accounts.attestation, &accounts.buffer);
        let mut attestation = read_attestation(info, buffer, &state.program)?;
        let sha256 = accounts.validate(&state, &attestation, trimmed_len)?;
        attestation.attest(trimmed_len, sha256, Clock::get()?.slot);
        io::write(info, &*attestation)?;
        if state.elf_hash == [0; 32] {
            (state.elf_hash, state.previous_elf_hash) = (sha256, sha256);
            io::write(&accounts.state, &*state)?;
        }
        let (buffer, program, role) = (*buffer.key, state.program, BufferRole::Rollback);
        emit(&accounts.event_authority, &BufferAttested { buffer, program, role, sha256 })
    }
}
