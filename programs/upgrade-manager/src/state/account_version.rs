//! The version record of one account of a target: which layout the account holds, and the hashes of
//! its bytes before and after its migration.
use anchor_lang::prelude::*;

use super::layout::LAYOUT;
use super::proposal::UpgradeProposal;
use crate::error::ManagerError;
use crate::runtime::require::require;

/// The status of one account in a migration.
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
    /// Cannot migrate; takes no part in the migration.
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
    /// Its status.
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

/// What one migration did to one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Version before.
    pub from: u16,
    /// Version after.
    pub to: u16,
    /// sha256 before.
    pub old_hash: [u8; 32],
    /// sha256 after.
    pub new_hash: [u8; 32],
    /// Bytes before.
    pub old_len: u32,
    /// Bytes after.
    pub new_len: u32,
    /// Lamports added for rent.
    pub rent_paid: u64,
}

/// A proposal that was executed, and when. The slot tells it from an earlier proposal at the same
/// address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Its address.
    pub proposal: Pubkey,
    /// Slot of its execution.
    pub slot: u64,
}

impl UpgradeProposal {
    /// This proposal, whose address is `key`, as version records refer to it.
    #[must_use]
    pub fn executed_as(&self, key: Pubkey) -> Executed {
        Executed { proposal: key, slot: self.executed_slot }
    }
}

impl AccountVersion {
    /// The record of an account that no proposal has touched.
    #[must_use]
    pub fn new(program: Pubkey, account: Pubkey, version: u16, bump: u8, payer: Pubkey) -> Self {
        Self {
            layout: LAYOUT,
            bump,
            program,
            account,
            status: AccountStatus::Pending,
            version,
            previous_version: version,
            old_hash: [0; 32],
            new_hash: [0; 32],
            old_len: 0,
            new_len: 0,
            touched: false,
            proposal: Pubkey::default(),
            slot: 0,
            rent_paid: 0,
            rent_payer: Pubkey::default(),
            payer,
        }
    }

    /// The account's status under the proposal `by`. A status that an earlier proposal set does not
    /// count. An earlier proposal can have had the same address, because a multisig that was
    /// dissolved and created again starts its ids anew; it then ended before `by` was executed, so
    /// its slot is older.
    #[must_use]
    pub fn status_under(&self, by: &Executed) -> AccountStatus {
        let counts = self.proposal == by.proposal && self.slot >= by.slot;
        if counts { self.status } else { AccountStatus::Pending }
    }

    /// The account was not migrated under `by`, or was restored since. Returns its status.
    ///
    /// # Errors
    /// [`ManagerError::AlreadyMigrated`], or [`ManagerError::RecordStatus`] when it was set aside.
    pub fn require_untouched(&self, by: &Executed) -> Result<AccountStatus> {
        let status = self.status_under(by);
        let migrated = matches!(status, AccountStatus::Migrated | AccountStatus::Verified);
        require!(!migrated, ManagerError::AlreadyMigrated);
        let set_aside = matches!(status, AccountStatus::Quarantined | AccountStatus::Closed);
        require!(!set_aside, ManagerError::RecordStatus);
        Ok(status)
    }

    /// The account holds the new layout of `by`. Returns its status.
    ///
    /// # Errors
    /// [`ManagerError::RecordStatus`].
    pub fn require_migrated(&self, by: &Executed) -> Result<AccountStatus> {
        let status = self.status_under(by);
        let migrated = matches!(status, AccountStatus::Migrated | AccountStatus::Verified);
        require!(migrated, ManagerError::RecordStatus);
        Ok(status)
    }

    /// Records the migration under `proposal`; `rent_payer` paid for the account's growth.
    pub fn migrate(&mut self, done: &Migration, proposal: Pubkey, rent_payer: Pubkey, slot: u64) {
        (self.previous_version, self.version) = (done.from, done.to);
        (self.old_hash, self.new_hash) = (done.old_hash, done.new_hash);
        (self.old_len, self.new_len) = (done.old_len, done.new_len);
        (self.rent_paid, self.rent_payer) = (done.rent_paid, rent_payer);
        (self.status, self.proposal, self.slot) = (AccountStatus::Migrated, proposal, slot);
        self.touched = false;
    }

    /// Records that the account was checked again and holds the new layout, now with `hash`.
    pub fn verify(&mut self, hash: [u8; 32], slot: u64) {
        self.touched = hash != self.new_hash;
        (self.status, self.slot) = (AccountStatus::Verified, slot);
    }

    /// Records that the account holds the old layout again, and that `freed` lamports of rent were
    /// returned.
    pub fn restore(&mut self, freed: u64, slot: u64) {
        self.version = self.previous_version;
        self.rent_paid = self.rent_paid.saturating_sub(freed);
        (self.status, self.slot) = (AccountStatus::Restored, slot);
    }

    /// Records that the account is quarantined or closed and takes no part in the migration of
    /// `by`. `version` and `old_hash` are recorded only for an account that `by` did not migrate.
    pub fn set_aside(
        &mut self,
        status: AccountStatus,
        by: &Executed,
        version: u16,
        old_hash: [u8; 32],
        slot: u64,
    ) {
        if self.status_under(by) == AccountStatus::Pending {
            (self.version, self.previous_version) = (version, version);
            (self.old_hash, self.new_hash) = (old_hash, [0; 32]);
            (self.old_len, self.new_len) = (0, 0);
            (self.rent_paid, self.rent_payer) = (0, Pubkey::default());
            self.touched = false;
        }
        (self.status, self.proposal, self.slot) = (status, by.proposal, slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(i: u8) -> Pubkey {
        Pubkey::new_from_array([i; 32])
    }

    const BY: Executed = Executed { proposal: Pubkey::new_from_array([4; 32]), slot: 10 };

    fn record(status: AccountStatus) -> AccountVersion {
        let new = AccountVersion::new(key(1), key(2), 1, 255, key(3));
        AccountVersion { status, proposal: key(4), slot: 12, ..new }
    }

    #[test]
    fn a_record_of_an_earlier_proposal_does_not_count_for_the_next() {
        let other = Executed { proposal: key(5), slot: 10 };
        let same_address = Executed { proposal: key(4), slot: 13 };
        for status in AccountStatus::ALL {
            let record = record(status);
            assert_eq!(record.status_under(&BY), status);
            for next in [other, same_address] {
                assert_eq!(record.require_untouched(&next).unwrap(), AccountStatus::Pending);
                assert!(record.require_migrated(&next).is_err());
            }
        }
    }

    #[test]
    fn an_account_migrates_once_and_is_verified_or_restored_only_after() {
        use AccountStatus::{Closed, Migrated, Pending, Quarantined, Restored, Verified};
        for status in [Pending, Restored] {
            assert!(record(status).require_untouched(&BY).is_ok());
        }
        for (status, error) in [
            (Migrated, ManagerError::AlreadyMigrated),
            (Verified, ManagerError::AlreadyMigrated),
            (Quarantined, ManagerError::RecordStatus),
            (Closed, ManagerError::RecordStatus),
        ] {
            assert_eq!(record(status).require_untouched(&BY).unwrap_err(), error.into());
        }
        for status in AccountStatus::ALL {
            let migrated = matches!(status, Migrated | Verified);
            assert_eq!(record(status).require_migrated(&BY).is_ok(), migrated, "{status:?}");
        }
    }

    #[test]
    fn restore_returns_to_the_version_before_the_migration() {
        let done = Migration {
            from: 1,
            to: 4,
            old_hash: [1; 32],
            new_hash: [2; 32],
            old_len: 10,
            new_len: 20,
            rent_paid: 7,
        };
        let mut r = record(AccountStatus::Restored);
        r.migrate(&done, key(6), key(7), 20);
        assert_eq!((r.previous_version, r.version), (1, 4));
        assert_eq!(r.status_under(&Executed { proposal: key(6), slot: 20 }), r.status);
        r.restore(7, 21);
        assert_eq!(r.version, 1);
    }

    #[test]
    fn quarantine_and_closing_keep_the_facts_of_a_migration() {
        let mut r = record(AccountStatus::Verified);
        (r.version, r.previous_version, r.rent_paid) = (2, 1, 10);
        r.set_aside(AccountStatus::Closed, &BY, 9, [9; 32], 20);
        assert_eq!((r.version, r.previous_version, r.rent_paid), (2, 1, 10));
        let next = Executed { proposal: key(5), slot: 30 };
        r.set_aside(AccountStatus::Quarantined, &next, 9, [9; 32], 31);
        assert_eq!((r.version, r.previous_version, r.rent_paid), (9, 9, 0));
        assert_eq!((r.old_hash, r.status_under(&next)), ([9; 32], AccountStatus::Quarantined));
    }

    #[test]
    fn verification_marks_changed_accounts_and_restore_resets_the_version() {
        let mut r = record(AccountStatus::Migrated);
        (r.version, r.previous_version, r.rent_paid) = (2, 1, 10);
        r.new_hash = [7; 32];
        r.verify([7; 32], 5);
        assert!(!r.touched);
        r.verify([8; 32], 5);
        assert!(r.touched);
        r.restore(4, 6);
        assert_eq!((r.version, r.previous_version, r.rent_paid), (1, 1, 6));
        assert_eq!(r.status, AccountStatus::Restored);
    }
}
