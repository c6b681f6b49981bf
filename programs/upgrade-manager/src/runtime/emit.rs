//! Emits events by self-CPI in the wire format of Anchor's `emit_cpi!`, with one allocation instead
//! of four: the heap is 32 KiB and never freed, and a batch's event is its largest buffer.
use std::io::Write as _;

use anchor_lang::event::EVENT_IX_TAG_LE;
use anchor_lang::prelude::*;
use anchor_lang::solana_program::{instruction::Instruction, program::invoke_signed};

use crate::runtime::slice_writer::SliceWriter;
use crate::{EVENT_AUTHORITY_AND_BUMP, ID, seeds};

/// A length in bytes that every event but a batch's fits in.
const DEFAULT_EVENT_LEN: usize = 320;

/// Emits `event`, signed by `authority`: the `event_authority` of every instruction.
pub(crate) fn emit<E>(authority: &AccountInfo, event: &E) -> Result<()>
where
    E: Discriminator + AnchorSerialize,
{
    emit_sized(authority, event, DEFAULT_EVENT_LEN)
}

/// As [`emit`], for an event of about `len` bytes.
#[inline(never)]
pub(crate) fn emit_sized<E>(authority: &AccountInfo, event: &E, len: usize) -> Result<()>
where
    E: Discriminator + AnchorSerialize,
{
    let mut capacity = len;
    let data = loop {
        let mut data = vec![0; capacity];
        if let Some(left) = encode(&mut data, event) {
            data.truncate(capacity.saturating_sub(left));
            break data;
        }
        // The caller's `len` was too low: that costs compute units, but no event is lost.
        capacity = capacity.saturating_mul(2).max(DEFAULT_EVENT_LEN);
    };
    send(authority, data)
}

/// Writes `event` to the front of `data`. Returns how many bytes of `data` are left, or `None` when
/// `data` is too short.
#[inline(always)]
fn encode<E>(data: &mut [u8], event: &E) -> Option<usize>
where
    E: Discriminator + AnchorSerialize,
{
    let mut writer = SliceWriter(data);
    writer.write_all(EVENT_IX_TAG_LE).ok()?;
    writer.write_all(E::DISCRIMINATOR).ok()?;
    event.serialize(&mut writer).ok()?;
    Some(writer.0.len())
}

/// Sends the event in `data`. Refuses any other signer, with the error that Anchor's `#[event_cpi]`
/// returns. The check is here once, because among the accounts of each instruction it took 16 KB of
/// the ELF.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::ProposalExpired;

    #[test]
    fn an_event_is_written_whole_or_not_at_all() {
        let [proposal, program] = [3, 4].map(|i| Pubkey::new_from_array([i; 32]));
        let event = ProposalExpired { proposal, program };
        let mut whole = EVENT_IX_TAG_LE.to_vec();
        whole.extend(anchor_lang::Event::data(&event));
        let mut room = vec![0; whole.len() + 5];
        assert_eq!(encode(&mut room, &event), Some(5));
        assert_eq!(room[..whole.len()], whole);
        assert_eq!(encode(&mut vec![0; whole.len()], &event), Some(0));
        assert_eq!(encode(&mut vec![0; whole.len() - 1], &event), None);
    }
}
