//! What the manager knows about one frozen buffer: its role, its length, its hash and who gets the
//! rent back. The bytes cannot change behind it, because the loader's `Write` cannot be called by
//! CPI and the buffer's authority is an address that signs nothing else.
use anchor_lang::prelude::*;

use super::PinnedElf;
use crate::error::ManagerError;

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
    /// Bytes without trailing zeros, 0 before attestation.
    pub trimmed_len: u32,
    /// sha256 of the trimmed bytes, zero before attestation.
    pub sha256: [u8; 32],
    /// Whether the hash has been taken.
    pub attested: bool,
    /// Slot of the attestation.
    pub attested_slot: u64,
    /// The proposal that pinned it; a buffer serves one proposal.
    pub proposal: Option<Pubkey>,
    /// Who gets the buffer's rent back: the authority it had before.
    pub refund: Pubkey,
    /// Who paid for this account.
    pub payer: Pubkey,
    /// Zero; room for a chunked hash.
    pub reserved: [u8; 48],
}

impl BufferAttestation {
    /// The buffer was frozen for `role` and has no hash yet.
    ///
    /// # Errors
    /// [`ManagerError::WrongBufferRole`] or [`ManagerError::AlreadyAttested`].
    pub fn require_open(&self, role: BufferRole) -> Result<()> {
        control!(self.role == role, ManagerError::WrongBufferRole);
        control!(!self.attested, ManagerError::AlreadyAttested);
        Ok(())
    }

    /// The hash was taken in `slot`.
    pub fn attest(&mut self, trimmed_len: u32, sha256: [u8; 32], slot: u64) {
        (self.trimmed_len, self.sha256) = (trimmed_len, sha256);
        (self.attested, self.attested_slot) = (true, slot);
    }

    /// A proposal for `program` may pin the buffer as `role`.
    ///
    /// # Errors
    /// [`ManagerError::WrongAccount`], [`ManagerError::WrongBufferRole`],
    /// [`ManagerError::NotAttested`] or [`ManagerError::BufferTaken`].
    pub fn require_free(&self, program: &Pubkey, role: BufferRole) -> Result<()> {
        control!(self.program == *program, ManagerError::WrongAccount);
        control!(self.role == role, ManagerError::WrongBufferRole);
        control!(self.attested, ManagerError::NotAttested);
        control!(self.proposal.is_none(), ManagerError::BufferTaken);
        Ok(())
    }

    /// The buffer belongs to `proposal`.
    ///
    /// # Errors
    /// [`ManagerError::WrongAccount`].
    pub fn require_taken_by(&self, proposal: &Pubkey) -> Result<()> {
        control!(self.proposal == Some(*proposal), ManagerError::WrongAccount);
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

    #[test]
    fn a_buffer_serves_one_proposal_of_one_program_in_one_role() {
        let key = |i| Pubkey::new_from_array([i; 32]);
        let mut a = BufferAttestation {
            layout: 1,
            bump: 0,
            buffer: key(1),
            program: key(2),
            role: BufferRole::Upgrade,
            len: 10,
            trimmed_len: 0,
            sha256: [0; 32],
            attested: false,
            attested_slot: 0,
            proposal: None,
            refund: key(3),
            payer: key(4),
            reserved: [0; 48],
        };
        assert!(a.require_free(&key(2), BufferRole::Upgrade).is_err(), "no hash yet");
        assert!(a.require_open(BufferRole::Rollback).is_err());
        a.require_open(BufferRole::Upgrade).unwrap();
        a.attest(8, [9; 32], 5);
        assert!(a.require_open(BufferRole::Upgrade).is_err(), "once");
        assert!(a.require_free(&key(5), BufferRole::Upgrade).is_err());
        assert!(a.require_free(&key(2), BufferRole::Rollback).is_err());
        a.require_free(&key(2), BufferRole::Upgrade).unwrap();
        a.proposal = Some(key(6));
        assert!(a.require_free(&key(2), BufferRole::Upgrade).is_err());
        assert!(a.require_taken_by(&key(7)).is_err());
        a.require_taken_by(&key(6)).unwrap();
    }
}
