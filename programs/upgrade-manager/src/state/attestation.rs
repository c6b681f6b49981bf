//! What the manager knows about one frozen buffer: its role, its length, its hash and who gets the
//! rent back. The bytes cannot change behind it, because the loader's `Write` cannot be called by
//! CPI and the buffer's authority is an address that signs nothing else.
use anchor_lang::prelude::*;

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
