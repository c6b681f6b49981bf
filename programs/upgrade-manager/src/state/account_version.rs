//! The record of one account of a target: which layout it holds and the hashes that prove it.
use anchor_lang::prelude::*;

/// Where one account stands in a migration.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// Seen, not migrated by the current proposal.
    Pending,
    /// Holds the new layout.
    Migrated,
    /// Holds the new layout, and its bytes were checked again.
    Verified,
    /// Holds the old layout again.
    Restored,
    /// Set aside: cannot migrate.
    Quarantined,
    /// Was closed before it could migrate.
    Closed,
}

impl AccountStatus {
    /// Every status, in the order of the account's encoding.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Migrated,
        Self::Verified,
        Self::Restored,
        Self::Quarantined,
        Self::Closed,
    ];

    /// The status's name, the same on chain, in SQL, on screen and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Migrated => "Migrated",
            Self::Verified => "Verified",
            Self::Restored => "Restored",
            Self::Quarantined => "Quarantined",
            Self::Closed => "Closed",
        }
    }

    /// The status with this [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// One account of a target program.
#[account]
#[derive(InitSpace, Debug, PartialEq, Eq)]
pub struct AccountVersion {
    /// [`super::LAYOUT`] at creation.
    pub layout: u8,
    /// Bump of this address.
    pub bump: u8,
    /// The target program.
    pub program: Pubkey,
    /// The account.
    pub account: Pubkey,
    /// Where it stands.
    pub status: AccountStatus,
    /// Version it holds.
    pub version: u16,
    /// Version it held before the last migration.
    pub previous_version: u16,
    /// sha256 of its bytes before the last migration.
    pub old_hash: [u8; 32],
    /// sha256 of its bytes after the last migration; zero while it never migrated.
    pub new_hash: [u8; 32],
    /// Bytes before the last migration.
    pub old_len: u32,
    /// Bytes after the last migration.
    pub new_len: u32,
    /// Whether verification found that users had changed the account since its migration.
    pub touched: bool,
    /// The proposal that migrated it last.
    pub proposal: Pubkey,
    /// Slot of the last change of this record.
    pub slot: u64,
    /// Lamports that the last migration added for rent.
    pub rent_paid: u64,
    /// Who paid them, and gets them back on restore.
    pub rent_payer: Pubkey,
    /// Who paid for this record.
    pub payer: Pubkey,
}
