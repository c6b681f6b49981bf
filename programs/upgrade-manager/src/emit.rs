//! Emits events by self-CPI in the wire format of Anchor's `emit_cpi!`, with one allocation instead
//! of four: the heap is 32 KiB and never freed, and a batch's event is its largest buffer.
use anchor_lang::event::EVENT_IX_TAG_LE;
use anchor_lang::prelude::*;
use anchor_lang::solana_program::{instruction::Instruction, program::invoke_signed};

use crate::{EVENT_AUTHORITY_AND_BUMP, ID, seeds};

/// Bytes that every event but a batch's fits in.
const COMMON: usize = 320;

/// Emits `event`, signed by `authority`: the `event_authority` of every instruction.
pub(crate) fn emit<E>(authority: &AccountInfo, event: &E) -> Result<()>
where
    E: Discriminator + AnchorSerialize,
{
    emit_sized(authority, event, COMMON)
}

/// As [`emit`], for an event of about `len` bytes.
#[inline(never)]
pub(crate) fn emit_sized<E>(authority: &AccountInfo, event: &E, len: usize) -> Result<()>
where
    E: Discriminator + AnchorSerialize,
{
    let mut data = Vec::with_capacity(len);
    data.extend_from_slice(EVENT_IX_TAG_LE);
    data.extend_from_slice(E::DISCRIMINATOR);
    event.serialize(&mut data)?;
    send(authority, data)
}

/// Sends the event in `data`. Refuses any other signer as Anchor's `#[event_cpi]` does: checked here
/// once, not among the accounts of each instruction, where it took 16 KB of the ELF.
#[inline(never)]
fn send(authority: &AccountInfo, data: Vec<u8>) -> Result<()> {
    if *authority.key != EVENT_AUTHORITY_AND_BUMP.0 {
        return Err(ErrorCode::ConstraintAddress.into());
    }
    let accounts = vec![AccountMeta::new_readonly(*authority.key, true)];
    let instruction = Instruction { program_id: ID, accounts, data };
    let signer: &[&[u8]] = &[seeds::EVENT_AUTHORITY, &[EVENT_AUTHORITY_AND_BUMP.1]];
    Ok(invoke_signed(&instruction, std::slice::from_ref(authority), &[signer])?)
}
