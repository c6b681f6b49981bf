//! Hashes the next chunk of a frozen buffer that is too large for one transaction. Anyone may call
//! this: nobody can choose the outcome. The last chunk of new code attests the buffer; after the
//! last chunk of a copy of the running code, `attest_rollback` attests it.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::program::{read_attestation, read_state};
use crate::events::{BufferAttested, ChunkAttested};
use crate::external::loader;
use crate::runtime::emit::emit;
use crate::state::{BufferAttestation, BufferRole, ProgramUpgradeState, elf};

/// Accounts of `attest_chunk`.
#[derive(Accounts)]
pub struct AttestChunk<'info> {
    /// CHECK: the state of the program that the buffer is for; `handle` reads it.
    pub state: UncheckedAccount<'info>,
    /// CHECK: the buffer; `add` reads it.
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: the attestation of the buffer; `handle` reads it.
    #[account(mut)]
    pub attestation: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> AttestChunk<'info> {
    /// Adds the next chunk. Returns its number and, with the last one of new code, the hash.
    fn add(
        &self,
        state: &ProgramUpgradeState,
        attestation: &mut BufferAttestation,
        trimmed_len: u32,
    ) -> Result<(u32, Option<[u8; 32]>)> {
        let data = self.buffer.try_borrow_data()?;
        let held = loader::buffer(self.buffer.owner, &data)?;
        let whole = held.require_frozen(&state.authority())?;
        let elf = elf::trimmed(whole, trimmed_len)?;
        elf::require_elf(elf)?;
        let chunk = attestation.add_chunk(elf)?;
        let hash = attestation.chunked_hash(trimmed_len);
        let hash = hash.filter(|_| attestation.role == BufferRole::Upgrade);
        if hash.is_some() {
            elf::require_whole(whole)?;
        }
        Ok((chunk, hash))
    }

    /// Records the chunk, and the hash after the last one.
    pub(crate) fn handle(ctx: Context<'info, Self>, trimmed_len: u32) -> Result<()> {
        let accounts = &*ctx.accounts;
        let state = read_state(&accounts.state)?;
        let (info, buffer) = (&accounts.attestation, &accounts.buffer);
        let mut attestation = read_attestation(info, buffer, &state.program)?;
        let (chunk, hash) = accounts.add(&state, &mut attestation, trimmed_len)?;
        if let Some(hash) = hash {
            attestation.attest(trimmed_len, hash, Clock::get()?.slot);
        }
        io::write(info, &*attestation)?;
        let (buffer, program, role) = (*buffer.key, state.program, attestation.role);
        let accumulator = attestation.accumulator;
        let event = ChunkAttested { buffer, program, chunk, accumulator };
        emit(&accounts.event_authority, &event)?;
        let Some(sha256) = hash else { return Ok(()) };
        emit(&accounts.event_authority, &BufferAttested { buffer, program, role, sha256 })
    }
}
