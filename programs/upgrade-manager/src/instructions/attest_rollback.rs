//! Proves that a frozen buffer holds the very code that runs, so that it can serve for a rollback.
//! Anyone may call it: it only reads.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::BufferAttested;
use crate::loader;
use crate::seeds;
use crate::state::{BufferAttestation, BufferRole, ProgramUpgradeState};

/// Accounts of `attest_rollback`.
#[event_cpi]
#[derive(Accounts)]
pub struct AttestRollback<'info> {
    /// The program that the buffer is for.
    #[account(seeds = [seeds::PROGRAM, state.program.as_ref()], bump = state.bump)]
    pub state: Box<Account<'info, ProgramUpgradeState>>,
    /// CHECK: the code that runs; `validate` reads it.
    #[account(address = state.program_data @ ManagerError::WrongAccount)]
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: the buffer; the attestation's address names it and `validate` reads it.
    pub buffer: UncheckedAccount<'info>,
    /// What the manager knows about the buffer.
    #[account(
        mut,
        dup,
        seeds = [seeds::ATTESTATION, buffer.key().as_ref()],
        bump = attestation.bump,
        constraint = attestation.program == state.program @ ManagerError::WrongAccount,
    )]
    pub attestation: Box<Account<'info, BufferAttestation>>,
}

impl<'info> AttestRollback<'info> {
    /// Checks the buffer against the code that runs and returns its hash.
    fn validate(&self, trimmed_len: u32) -> Result<[u8; 32]> {
        self.attestation.require_open(BufferRole::Rollback)?;
        let data = self.buffer.try_borrow_data()?;
        let held = loader::buffer(self.buffer.owner, &data)?;
        let whole = held.require_frozen(&self.state.authority()?)?;
        let elf = loader::trimmed(whole, trimmed_len)?;
        let live = self.program_data.try_borrow_data()?;
        let live = loader::program_data(self.program_data.owner, &live)?;
        loader::require_same_code(elf, live.elf)?;
        // The loader does not install a buffer that is longer than the program's account, were it
        // by zeros alone, and that account cannot always be extended far enough.
        control!(whole.len() <= live.elf.len(), ManagerError::RollbackNotLive);
        let sha256 = loader::elf_hash(elf)?;
        loader::require_whole(whole)?;
        Ok(sha256)
    }

    /// Writes the hash down.
    pub(crate) fn handle(ctx: Context<'info, Self>, trimmed_len: u32) -> Result<()> {
        let accounts = ctx.accounts;
        let sha256 = accounts.validate(trimmed_len)?;
        accounts.attestation.attest(trimmed_len, sha256, Clock::get()?.slot);
        let event = BufferAttested {
            buffer: accounts.buffer.key(),
            program: accounts.state.program,
            role: BufferRole::Rollback,
            sha256,
        };
        emit(&accounts.event_authority, &event)
    }
}
