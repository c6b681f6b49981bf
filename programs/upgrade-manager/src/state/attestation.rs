//! The attestation of one frozen buffer: its role, its length, its hash and who gets the rent back.
//! The bytes cannot change after the attestation: no program can call the loader's `Write`, and the
//! buffer's authority is an address that only the manager can sign for.
use anchor_lang::prelude::*;

use super::layout::LAYOUT;
use super::terms::PinnedElf;
use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;
use crate::state::elf;

/// What a buffer is for.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferRole {
    /// Holds the new code.
    Upgrade,
    /// Holds a copy of the code that runs.
    Rollback,
}

impl BufferRole {
    /// The role's name, the same everywhere.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Upgrade => "Upgrade",
            Self::Rollback => "Rollback",
        }
    }
}

/// One frozen buffer.
#[account]
#[derive(InitSpace, Debug, PartialEq, Eq)]
pub struct BufferAttestation {
    /// [`super::LAYOUT`] at creation.
    pub layout: u8,
    /// Bump of this address.
    pub bump: u8,
    /// The buffer.
    pub buffer: Pubkey,
    /// The program it is for.
    pub program: Pubkey,
    /// What it is for.
    pub role: BufferRole,
    /// Bytes behind the buffer's header.
    pub len: u32,
    /// Bytes without trailing zeros, 0 before attestation or its first chunk.
    pub trimmed_len: u32,
    /// Hash of the trimmed bytes, see [`elf::code_hash`]; zero before attestation.
    pub sha256: [u8; 32],
    /// Whether the hash was recorded.
    pub attested: bool,
    /// Slot of the attestation.
    pub attested_slot: u64,
    /// The proposal that pinned it; a buffer serves one proposal.
    pub proposal: Option<Pubkey>,
    /// Who gets the buffer's rent back: the authority it had before.
    pub refund: Pubkey,
    /// Who paid for this account.
    pub payer: Pubkey,
    /// Chunks hashed so far, of a buffer that is too large for one transaction.
    pub chunks: u32,
    /// The accumulator after these chunks.
    pub accumulator: [u8; 32],
    /// Zero; reserved for later layouts.
    pub reserved: [u8; 12],
}

/// What is known of a buffer when it is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrozenBuffer {
    /// The buffer.
    pub buffer: Pubkey,
    /// The program it is for.
    pub program: Pubkey,
    /// What it is for.
    pub role: BufferRole,
    /// Bytes behind the buffer's header.
    pub len: u32,
    /// Who gets the buffer's rent back.
    pub refund: Pubkey,
}

impl BufferAttestation {
    /// A frozen buffer without a hash.
    #[must_use]
    pub fn new(frozen: &FrozenBuffer, payer: Pubkey, bump: u8) -> Self {
        let FrozenBuffer { buffer, program, role, len, refund } = *frozen;
        Self {
            layout: LAYOUT,
            bump,
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
            payer,
            chunks: 0,
            accumulator: [0; 32],
            reserved: [0; 12],
        }
    }

    /// The buffer was frozen for `role` and has no hash yet.
    ///
    /// # Errors
    /// [`ManagerError::WrongBufferRole`] or [`ManagerError::AlreadyAttested`].
    pub fn require_unattested(&self, role: BufferRole) -> Result<()> {
        require!(self.role == role, ManagerError::WrongBufferRole);
        require!(!self.attested, ManagerError::AlreadyAttested);
        Ok(())
    }

    /// Adds the next chunk of `elf`, the buffer's bytes without trailing zeros. Returns its number.
    /// The first one fixes where these zeros begin.
    ///
    /// # Errors
    /// [`ManagerError::AlreadyAttested`], [`ManagerError::NotChunked`] when one transaction can
    /// hash `elf`, [`ManagerError::TrimmedLength`] when an earlier chunk saw another length, or
    /// [`ManagerError::ChunkOutOfOrder`] behind the last.
    pub fn add_chunk(&mut self, elf: &[u8]) -> Result<u32> {
        require!(!self.attested, ManagerError::AlreadyAttested);
        require!(elf.len() > elf::MAX_INLINE_LEN, ManagerError::NotChunked);
        let (index, len) = (self.chunks, u32::try_from(elf.len()));
        let len = len.or_err(ManagerError::ElfTooLarge)?;
        require!(index == 0 || self.trimmed_len == len, ManagerError::TrimmedLength);
        let at = usize::try_from(index).or_err(ManagerError::Overflow)?;
        let chunk = elf.chunks(elf::CHUNK_LEN).nth(at).or_err(ManagerError::ChunkOutOfOrder)?;
        self.trimmed_len = len;
        self.accumulator = elf::add_chunk(&self.accumulator, index, chunk);
        self.chunks = index.checked_add(1).or_err(ManagerError::Overflow)?;
        Ok(index)
    }

    /// Hash over the chunks of a buffer of `trimmed_len` bytes, `None` while some are missing.
    #[must_use]
    pub fn chunked_hash(&self, trimmed_len: u32) -> Option<[u8; 32]> {
        let all = usize::try_from(trimmed_len).ok().map(elf::chunks)?;
        let complete = self.trimmed_len == trimmed_len && usize::try_from(self.chunks) == Ok(all);
        complete.then(|| elf::chunked_hash(&self.accumulator, trimmed_len))
    }

    /// Hash of `elf`, the buffer's bytes without trailing zeros. A large ELF's hash comes from the
    /// chunks that were added before.
    ///
    /// # Errors
    /// [`ManagerError::NotAnElf`], or [`ManagerError::NeedsChunks`] while chunks are missing.
    pub fn code_hash(&self, elf: &[u8]) -> Result<[u8; 32]> {
        if elf.len() <= elf::MAX_INLINE_LEN {
            return elf::elf_hash(elf);
        }
        elf::require_elf(elf)?;
        let hash = u32::try_from(elf.len()).ok().and_then(|len| self.chunked_hash(len));
        hash.or_err(ManagerError::NeedsChunks)
    }

    /// Records the hash, taken in `slot`.
    pub fn attest(&mut self, trimmed_len: u32, sha256: [u8; 32], slot: u64) {
        (self.trimmed_len, self.sha256) = (trimmed_len, sha256);
        (self.attested, self.attested_slot) = (true, slot);
    }

    /// The buffer is attested, for `program` and `role`, and no proposal has pinned it.
    ///
    /// # Errors
    /// [`ManagerError::WrongAccount`], [`ManagerError::WrongBufferRole`],
    /// [`ManagerError::NotAttested`] or [`ManagerError::BufferTaken`].
    pub fn require_pinnable(&self, program: &Pubkey, role: BufferRole) -> Result<()> {
        require!(self.program == *program, ManagerError::WrongAccount);
        require!(self.role == role, ManagerError::WrongBufferRole);
        require!(self.attested, ManagerError::NotAttested);
        require!(self.proposal.is_none(), ManagerError::BufferTaken);
        Ok(())
    }

    /// `proposal` pinned the buffer.
    ///
    /// # Errors
    /// [`ManagerError::WrongAccount`].
    pub fn require_pinned_by(&self, proposal: &Pubkey) -> Result<()> {
        require!(self.proposal == Some(*proposal), ManagerError::WrongAccount);
        Ok(())
    }

    /// What a proposal pins of the buffer.
    #[must_use]
    pub fn pin(&self) -> PinnedElf {
        PinnedElf {
            buffer: self.buffer,
            len: self.len,
            trimmed_len: self.trimmed_len,
            sha256: self.sha256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::elf::{CHUNK_LEN, MAX_INLINE_LEN};

    fn key(i: u8) -> Pubkey {
        Pubkey::new_from_array([i; 32])
    }

    fn frozen(role: BufferRole) -> BufferAttestation {
        let of = FrozenBuffer { buffer: key(1), program: key(2), role, len: 10, refund: key(3) };
        BufferAttestation::new(&of, key(4), 0)
    }

    fn elf(len: usize) -> Vec<u8> {
        let mut elf: Vec<u8> = (0..len).map(|i| (i / 1_000) as u8 | 1).collect();
        elf[..4].copy_from_slice(b"\x7fELF");
        elf
    }

    #[test]
    fn a_buffer_serves_one_proposal_of_one_program_in_one_role() {
        let mut a = frozen(BufferRole::Upgrade);
        assert!(a.require_pinnable(&key(2), BufferRole::Upgrade).is_err(), "no hash yet");
        assert!(a.require_unattested(BufferRole::Rollback).is_err());
        a.require_unattested(BufferRole::Upgrade).unwrap();
        a.attest(8, [9; 32], 5);
        assert!(a.require_unattested(BufferRole::Upgrade).is_err(), "once");
        assert!(a.require_pinnable(&key(5), BufferRole::Upgrade).is_err());
        assert!(a.require_pinnable(&key(2), BufferRole::Rollback).is_err());
        a.require_pinnable(&key(2), BufferRole::Upgrade).unwrap();
        a.proposal = Some(key(6));
        assert!(a.require_pinnable(&key(2), BufferRole::Upgrade).is_err());
        assert!(a.require_pinned_by(&key(7)).is_err());
        a.require_pinned_by(&key(6)).unwrap();
    }

    #[test]
    fn chunks_in_order_lead_to_the_hash_that_clients_compute() {
        let elf = elf(2 * CHUNK_LEN + 7);
        let len = elf.len() as u32;
        let mut a = frozen(BufferRole::Rollback);
        for index in 0..3 {
            assert_eq!(a.chunked_hash(len), None);
            assert!(a.code_hash(&elf).is_err(), "before chunk {index}");
            assert_eq!(a.add_chunk(&elf).unwrap(), index);
        }
        assert_eq!(a.code_hash(&elf).unwrap(), elf::code_hash(&elf).unwrap());
        assert_eq!(a.chunked_hash(len + 1), None, "of another length");
        assert_eq!(a.add_chunk(&elf).unwrap_err(), ManagerError::ChunkOutOfOrder.into());
        a.attest(len, [1; 32], 5);
        assert_eq!(a.add_chunk(&elf).unwrap_err(), ManagerError::AlreadyAttested.into());
    }

    #[test]
    fn the_first_chunk_fixes_the_length() {
        let (elf, longer) = (elf(2 * CHUNK_LEN + 7), elf(2 * CHUNK_LEN + 8));
        let mut a = frozen(BufferRole::Upgrade);
        a.add_chunk(&elf).unwrap();
        assert_eq!(a.add_chunk(&longer).unwrap_err(), ManagerError::TrimmedLength.into());
        assert_eq!(a.chunks, 1, "nothing was added");
        a.add_chunk(&elf).unwrap();
    }

    #[test]
    fn an_elf_that_one_transaction_can_hash_has_no_chunks() {
        let elf = elf(MAX_INLINE_LEN);
        let mut a = frozen(BufferRole::Upgrade);
        assert_eq!(a.add_chunk(&elf).unwrap_err(), ManagerError::NotChunked.into());
        assert_eq!(a.code_hash(&elf).unwrap(), elf::elf_hash(&elf).unwrap());
    }
}
