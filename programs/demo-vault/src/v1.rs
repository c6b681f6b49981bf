//! The first layout, with its rules for deposits and withdrawals.
use anchor_lang::prelude::*;

use crate::{error::VaultError, layout::versioned_account};

/// The number this layout carries.
pub const VERSION: u16 = 1;
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
    pub deposits: u16,
}

versioned_account!(Vault, VERSION);

impl Vault {
    /// An empty vault.
    #[must_use]
    pub fn new(bump: u8, owner: Pubkey, index: u32) -> Self {
        Self { version: VERSION, bump, owner, index, balance: 0, deposits: 0 }
    }

    /// Counts a deposit. This layout stores no time, so `_now` is unused.
    ///
    /// # Errors
    /// [`VaultError::ZeroAmount`] or [`VaultError::Overflow`].
    pub fn credit(&mut self, amount: u64, _now: i64) -> Result<()> {
        require!(amount > 0, VaultError::ZeroAmount);
        self.balance = self.balance.checked_add(amount).ok_or(VaultError::Overflow)?;
        self.deposits = self.deposits.checked_add(1).ok_or(VaultError::Overflow)?;
        Ok(())
    }

    /// Counts a withdrawal.
    ///
    /// # Errors
    /// [`VaultError::ZeroAmount`] or [`VaultError::BalanceTooSmall`].
    pub fn debit(&mut self, amount: u64, _now: i64) -> Result<()> {
        require!(amount > 0, VaultError::ZeroAmount);
        self.balance = self.balance.checked_sub(amount).ok_or(VaultError::BalanceTooSmall)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balance_and_count_never_wrap() {
        let mut vault = Vault::new(1, Pubkey::default(), 0);
        assert!(vault.credit(0, 0).is_err());
        vault.credit(10, 0).unwrap();
        assert!(vault.debit(11, 0).is_err());
        assert!(vault.debit(0, 0).is_err());
        assert!(vault.credit(u64::MAX, 0).is_err());
        vault.debit(10, 0).unwrap();
        assert_eq!(vault.balance, 0);
        vault.deposits = u16::MAX;
        assert!(vault.credit(1, 0).is_err());
    }
}
