//! The state of one registered program: what runs, what ran before, and how far a migration is.
use anchor_lang::Discriminator;
use anchor_lang::prelude::*;

use super::account_version::AccountStatus;
use crate::error::{ManagerError, OrErr as _};
use crate::seeds;

/// What is happening to a program.
#[derive(
    AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq, Default,
)]
pub enum Phase {
    /// No migration or rollback is under way.
    #[default]
    Steady,
    /// An upgrade was executed and its accounts are being migrated.
    Migrating,
    /// The members voted for rollback: accounts are being restored.
    RollingBack,
    /// The upgrade authority was handed over: the manager decides nothing about it any more.
    Released,
}

impl Phase {
    /// The phase's name, the same on chain, in SQL, on screen and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Steady => "Steady",
            Self::Migrating => "Migrating",
            Self::RollingBack => "RollingBack",
            Self::Released => "Released",
        }
    }
}

/// How many accounts of the last executed proposal stand at each status.
#[derive(
    AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq, Default,
)]
pub struct Counters {
    /// Accounts in the manifest of the last executed proposal.
    pub total: u32,
    /// Migrated and not yet verified.
    pub migrated: u32,
    /// Verified.
    pub verified: u32,
    /// Restored after a migration.
    pub restored: u32,
    /// Quarantined, because they cannot migrate.
    pub quarantined: u32,
    /// Closed before they could migrate.
    pub closed: u32,
}

impl Counters {
    fn counter(&mut self, status: AccountStatus) -> Option<&mut u32> {
        match status {
            AccountStatus::Pending => None,
            AccountStatus::Migrated => Some(&mut self.migrated),
            AccountStatus::Verified => Some(&mut self.verified),
            AccountStatus::Restored => Some(&mut self.restored),
            AccountStatus::Quarantined => Some(&mut self.quarantined),
            AccountStatus::Closed => Some(&mut self.closed),
        }
    }

    /// Moves one account from status `from` to `to`; `Pending` is not counted.
    ///
    /// # Errors
    /// [`ManagerError::Overflow`] when a counter would leave its range.
    pub fn shift(&mut self, from: AccountStatus, to: AccountStatus) -> Result<()> {
        if let Some(n) = self.counter(from) {
            *n = n.checked_sub(1).or_err(ManagerError::Overflow)?;
        }
        if let Some(n) = self.counter(to) {
            *n = n.checked_add(1).or_err(ManagerError::Overflow)?;
        }
        Ok(())
    }

    /// Accounts that need nothing more: verified, quarantined or closed.
    #[must_use]
    pub fn settled(&self) -> u64 {
        [self.verified, self.quarantined, self.closed].into_iter().map(u64::from).sum()
    }

    /// Whether the migration can be completed: every account in the manifest is settled, and no
    /// migrated account is unverified.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.migrated == 0 && self.settled() >= u64::from(self.total)
    }

    /// Accounts that still hold the new layout.
    #[must_use]
    pub fn on_new_layout(&self) -> u64 {
        u64::from(self.migrated).saturating_add(u64::from(self.verified))
    }
}

/// One program whose upgrade authority the manager holds.
#[account]
#[derive(InitSpace, Debug, PartialEq, Eq)]
pub struct ProgramUpgradeState {
    /// [`super::LAYOUT`] at registration.
    pub layout: u8,
    /// Bump of this address.
    pub bump: u8,
    /// Bump of the authority address.
    pub authority_bump: u8,
    /// Bump of the migrator address.
    pub migrator_bump: u8,
    /// The multisig that decides.
    pub multisig: Pubkey,
    /// The program.
    pub program: Pubkey,
    /// Its ProgramData account.
    pub program_data: Pubkey,
    /// Version that runs.
    pub version: u16,
    /// solana-verify hash of what runs.
    pub elf_hash: [u8; 32],
    /// Version that ran before the last upgrade; equal to `version` before the first.
    pub previous_version: u16,
    /// solana-verify hash of what ran before.
    pub previous_elf_hash: [u8; 32],
    /// What is happening.
    pub phase: Phase,
    /// The proposal that has not ended, at most one.
    pub live_proposal: Option<Pubkey>,
    /// The roll-forward that has not been executed and has not ended, at most one: it may replace
    /// an upgrade that cannot be completed, next to which it is voted on.
    pub roll_forward: Option<Pubkey>,
    /// The proposal that was executed last and not rolled back: only this one can be rolled back.
    pub last_executed: Option<Pubkey>,
    /// Slot of the last execution or rollback; its new code is not callable before the next slot.
    pub executed_slot: u64,
    /// Chain time of the last execution, seconds since 1970.
    pub executed_at: i64,
    /// Progress of the last executed proposal's migration.
    pub counters: Counters,
    /// Who paid for this account.
    pub payer: Pubkey,
    /// Zero; reserved for later layouts.
    pub reserved: [u8; 64],
}

/// Offset of the program's key: behind discriminator, four bytes and the multisig's key.
const PROGRAM_AT: usize = 8 + 4 + 32;

impl ProgramUpgradeState {
    /// The program whose state is in `data`, without reading the rest; `None` for any other
    /// account.
    #[must_use]
    pub fn read_program(data: &[u8]) -> Option<Pubkey> {
        if !data.starts_with(Self::DISCRIMINATOR) {
            return None;
        }
        Some(Pubkey::new_from_array(*data.get(PROGRAM_AT..)?.first_chunk::<32>()?))
    }

    /// The address that holds the program's upgrade authority.
    #[must_use]
    pub fn authority(&self) -> Pubkey {
        seeds::derive_address(&[seeds::AUTHORITY, self.program.as_ref()], self.authority_bump)
    }

    /// The address that signs migrations of the program's accounts.
    #[must_use]
    pub fn migrator(&self) -> Pubkey {
        seeds::derive_address(&[seeds::MIGRATOR, self.program.as_ref()], self.migrator_bump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_complete_when_all_are_settled_and_none_unverified() {
        let mut c = Counters { total: 3, ..Counters::default() };
        assert!(!c.is_complete());
        for _ in 0..3 {
            c.shift(AccountStatus::Pending, AccountStatus::Migrated).unwrap();
        }
        assert!(!c.is_complete());
        c.shift(AccountStatus::Migrated, AccountStatus::Verified).unwrap();
        c.shift(AccountStatus::Migrated, AccountStatus::Verified).unwrap();
        assert!(!c.is_complete());
        c.shift(AccountStatus::Migrated, AccountStatus::Verified).unwrap();
        assert!(c.is_complete());
        c.shift(AccountStatus::Pending, AccountStatus::Migrated).unwrap();
        assert!(!c.is_complete(), "one more that is not verified yet");
    }

    #[test]
    fn a_counter_never_wraps() {
        let mut c = Counters::default();
        assert!(c.shift(AccountStatus::Migrated, AccountStatus::Verified).is_err());
        c.closed = u32::MAX;
        assert!(c.shift(AccountStatus::Pending, AccountStatus::Closed).is_err());
    }
}
