//! The second layout: a larger deposit counter, the time of the last change and a limit. Converts
//! from and to the first.
use anchor_lang::prelude::*;

use crate::{error::VaultError, layout::versioned_account, v1};

/// The number this layout carries.
pub const VERSION: u16 = 2;
/// Bytes of an account of this layout.
pub const LEN: usize = 8 + Vault::INIT_SPACE;

/// Lamports of one owner.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    /// [`VERSION`].
    pub version: u16,
    /// Bump of this address.
    pub bump: u8,
    /// Who may withdraw.
    pub owner: Pubkey,
    /// Which of the owner's vaults this is.
    pub index: u32,
    /// Lamports that belong to the owner; the rest of the account's lamports is rent.
    pub balance: u64,
    /// Deposits so far.
    pub deposits: u64,
    /// Chain time of the last deposit or withdrawal, 0 before the first in this layout.
    pub last_change: i64,
    /// Most lamports of one withdrawal, 0 for no limit.
    pub limit: u64,
}

versioned_account!(Vault, VERSION);

impl Vault {
    /// An empty vault.
    #[must_use]
    pub fn new(bump: u8, owner: Pubkey, index: u32) -> Self {
        Self {
            version: VERSION,
            bump,
            owner,
            index,
            balance: 0,
            deposits: 0,
            last_change: 0,
            limit: 0,
        }
    }

    /// Counts a deposit at chain time `now`.
    ///
    /// # Errors
    /// [`VaultError::ZeroAmount`] or [`VaultError::Overflow`].
    pub fn credit(&mut self, amount: u64, now: i64) -> Result<()> {
        require!(amount > 0, VaultError::ZeroAmount);
        self.balance = self.balance.checked_add(amount).ok_or(VaultError::Overflow)?;
        self.deposits = self.deposits.checked_add(1).ok_or(VaultError::Overflow)?;
        self.last_change = now;
        Ok(())
    }

    /// Counts a withdrawal at chain time `now`.
    ///
    /// # Errors
    /// [`VaultError::ZeroAmount`], [`VaultError::AboveLimit`] or [`VaultError::BalanceTooSmall`].
    pub fn debit(&mut self, amount: u64, now: i64) -> Result<()> {
        require!(amount > 0, VaultError::ZeroAmount);
        require!(self.limit == 0 || amount <= self.limit, VaultError::AboveLimit);
        self.balance = self.balance.checked_sub(amount).ok_or(VaultError::BalanceTooSmall)?;
        self.last_change = now;
        Ok(())
    }

    /// The same vault in the first layout, which has no time and no limit.
    ///
    /// # Errors
    /// [`VaultError::TooManyDeposits`].
    pub fn down(self) -> Result<v1::Vault> {
        let deposits = u16::try_from(self.deposits).map_err(|_| VaultError::TooManyDeposits)?;
        Ok(v1::Vault {
            version: v1::VERSION,
            bump: self.bump,
            owner: self.owner,
            index: self.index,
            balance: self.balance,
            deposits,
        })
    }
}

impl From<v1::Vault> for Vault {
    fn from(old: v1::Vault) -> Self {
        Self {
            balance: old.balance,
            deposits: u64::from(old.deposits),
            ..Self::new(old.bump, old.owner, old.index)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(deposits: u16) -> v1::Vault {
        let vault = v1::Vault::new(254, Pubkey::new_from_array([5; 32]), 77);
        v1::Vault { balance: u64::MAX, deposits, ..vault }
    }

    #[test]
    fn up_and_down_loses_nothing_the_old_layout_had() {
        for deposits in [0, 1, u16::MAX] {
            let up = Vault::from(old(deposits));
            assert_eq!((up.last_change, up.limit), (0, 0));
            assert_eq!(up.down().unwrap(), old(deposits));
        }
    }

    #[test]
    fn a_count_that_the_old_layout_cannot_hold_is_refused() {
        let mut up = Vault::from(old(u16::MAX));
        up.deposits += 1;
        assert_eq!(up.down().unwrap_err(), VaultError::TooManyDeposits.into());
    }

    #[test]
    fn the_limit_binds_each_withdrawal() {
        let mut vault = Vault::new(1, Pubkey::default(), 0);
        vault.credit(100, 5).unwrap();
        vault.debit(60, 6).unwrap();
        vault.limit = 10;
        assert_eq!(vault.debit(11, 7).unwrap_err(), VaultError::AboveLimit.into());
        vault.debit(10, 8).unwrap();
        assert!(vault.debit(0, 9).is_err());
        assert_eq!((vault.balance, vault.deposits, vault.last_change), (30, 1, 8));
        assert!(vault.credit(u64::MAX, 9).is_err());
    }

    #[test]
    fn the_second_layout_is_longer() {
        assert_eq!((v1::LEN, LEN), (57, 79));
    }
}
