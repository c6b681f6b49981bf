//! The interface that a program implements so that the upgrade manager can migrate its accounts:
//! discriminators, seeds and argument layouts. No Anchor, no allocation, no rules.
//!
//! | instruction | data | accounts |
//! |---|---|---|
//! | [`Call::Migrate`] | disc · from `u16` · to `u16` · sha256 of the old bytes | see [`account`] |
//! | [`Call::Restore`] | disc · from `u16` · to `u16` · sha256 of the current bytes · the old bytes | see [`account`] |
//! | [`Call::MigrateDown`] | disc · from `u16` · to `u16` · sha256 of the current bytes | see [`account`] |
//!
//! "disc" is the discriminator, and numbers are little-endian. `from` is the version before the call,
//! so a restore has the newer version in `from`.
//!
//! A target:
//!
//! - knows one manager as a constant and refuses unless account 0 is the migrator address under that
//!   manager and has signed;
//! - answers success and changes nothing when the account is already at version `to`;
//! - else refuses unless the account is at `from` and its bytes have the hash of the call;
//! - keeps the account its own and exempt from rent, moves no lamports but rent, and makes no CPI but
//!   a system transfer.
#![no_std]

/// `sha256("account-migration-interface:migrate")[..8]`.
pub const MIGRATE: [u8; 8] = [0x77, 0x1c, 0x5b, 0xdd, 0x37, 0x7b, 0x26, 0x52];
/// `sha256("account-migration-interface:restore")[..8]`.
pub const RESTORE: [u8; 8] = [0x17, 0x1a, 0x81, 0xf6, 0xdc, 0xb7, 0xe7, 0x9f];
/// `sha256("account-migration-interface:migrate_down")[..8]`.
pub const MIGRATE_DOWN: [u8; 8] = [0x3b, 0x74, 0x07, 0xd5, 0xdf, 0x89, 0x6b, 0x77];

/// First seed of the migrator address: `[MIGRATOR_SEED, target program id]` under the manager.
pub const MIGRATOR_SEED: &[u8] = b"migrator";

/// The manager whose calls the targets of this workspace accept: the address in `upgrade-manager`'s
/// `declare_id!`.
pub const MANAGER_ID: [u8; 32] = [
    210, 126, 244, 20, 84, 157, 55, 161, 110, 178, 184, 238, 192, 212, 138, 170, 183, 235, 194, 0,
    251, 249, 104, 247, 175, 33, 193, 161, 66, 208, 123, 101,
];

/// Bytes of the fixed part of every instruction: discriminator, from, to, hash.
pub const HEADER_LEN: usize = 8 + 2 + 2 + 32;

/// Positions of the accounts in each instruction.
pub mod account {
    /// `[signer]` the migrator address of the target.
    pub const MIGRATOR: usize = 0;
    /// `[writable]` the account to migrate or restore.
    pub const ACCOUNT: usize = 1;
    /// `[writable]`, and `[signer]` for `Migrate`: pays the rent of growth. `Restore` and
    /// `MigrateDown` return to it the rent that the account no longer needs. The manager recorded
    /// who paid and how much, passes the same account, and refuses a larger amount.
    pub const RENT: usize = 2;
    /// The system program.
    pub const SYSTEM_PROGRAM: usize = 3;
    /// Number of accounts; the manager passes no others.
    pub const COUNT: usize = 4;
}

/// The fixed part that the three instructions share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version the account must hold now.
    pub from: u16,
    /// Version the account must hold afterwards.
    pub to: u16,
    /// sha256 of the account's bytes before the call.
    pub expected_sha256: [u8; 32],
}

impl Header {
    /// The header behind `discriminator`.
    #[must_use]
    pub fn encode(&self, discriminator: [u8; 8]) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        let (disc, rest) = out.split_at_mut(8);
        disc.copy_from_slice(&discriminator);
        let (from, rest) = rest.split_at_mut(2);
        from.copy_from_slice(&self.from.to_le_bytes());
        let (to, hash) = rest.split_at_mut(2);
        to.copy_from_slice(&self.to.to_le_bytes());
        hash.copy_from_slice(&self.expected_sha256);
        out
    }

    /// The header and what follows it, `None` when `data` is shorter than a header.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<(Self, &[u8])> {
        let (_, data) = data.split_first_chunk::<8>()?;
        let (from, data) = data.split_first_chunk::<2>()?;
        let (to, data) = data.split_first_chunk::<2>()?;
        let (expected_sha256, tail) = data.split_first_chunk::<32>()?;
        let header = Self {
            from: u16::from_le_bytes(*from),
            to: u16::from_le_bytes(*to),
            expected_sha256: *expected_sha256,
        };
        Some((header, tail))
    }
}

/// A call of this interface, as a target sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call<'a> {
    /// Bring the account from version `from` to `to`.
    Migrate(Header),
    /// Put `bytes`, the account's exact old content, back in place. The manager asks this only of an
    /// account that nothing has changed since its migration.
    Restore {
        /// What must hold before.
        header: Header,
        /// The whole old content of the account.
        bytes: &'a [u8],
    },
    /// Compute the old layout from the new one, so that what users did since the migration is kept.
    /// For an account that nobody used the result must be its exact old content.
    MigrateDown(Header),
}

impl<'a> Call<'a> {
    /// `None` when `data` is not a call of this interface: wrong discriminator, too short, or bytes
    /// behind a call that takes none.
    ///
    /// ```
    /// use migration_interface::{Call, Header, MIGRATE};
    ///
    /// let header = Header { from: 1, to: 2, expected_sha256: [7; 32] };
    /// // What the manager sends, and what the target reads.
    /// let data = header.encode(MIGRATE);
    /// assert_eq!(Call::decode(&data), Some(Call::Migrate(header)));
    /// assert_eq!(Call::decode(b"another instruction"), None);
    /// ```
    #[must_use]
    pub fn decode(data: &'a [u8]) -> Option<Self> {
        let disc = data.first_chunk::<8>()?;
        let (header, tail) = Header::decode(data)?;
        match *disc {
            MIGRATE if tail.is_empty() => Some(Self::Migrate(header)),
            RESTORE => Some(Self::Restore { header, bytes: tail }),
            MIGRATE_DOWN if tail.is_empty() => Some(Self::MigrateDown(header)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn discriminators_follow_the_published_formula() {
        for (name, disc) in
            [("migrate", MIGRATE), ("restore", RESTORE), ("migrate_down", MIGRATE_DOWN)]
        {
            let full = Sha256::digest(std::format!("account-migration-interface:{name}"));
            assert_eq!(full[..8], disc, "{name}");
        }
    }

    #[test]
    fn a_call_reads_back_as_it_was_encoded() {
        let header = Header { from: 1, to: 2, expected_sha256: [7; 32] };
        assert_eq!(Call::decode(&header.encode(MIGRATE)), Some(Call::Migrate(header)));
        assert_eq!(Call::decode(&header.encode(MIGRATE_DOWN)), Some(Call::MigrateDown(header)));
        let mut restore = header.encode(RESTORE).to_vec();
        restore.extend([1, 2, 3]);
        assert_eq!(Call::decode(&restore), Some(Call::Restore { header, bytes: &[1, 2, 3] }));
    }

    #[test]
    fn a_short_or_foreign_call_is_none() {
        let header = Header { from: 1, to: 2, expected_sha256: [7; 32] };
        let bytes = header.encode(MIGRATE);
        for n in 0..HEADER_LEN {
            assert_eq!(Call::decode(&bytes[..n]), None);
        }
        let mut long = bytes.to_vec();
        long.push(0);
        assert_eq!(Call::decode(&long), None);
        assert_eq!(Call::decode(&header.encode([0; 8])), None);
    }
}
