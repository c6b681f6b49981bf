//! Every error of the vault program, as a sentence that its user can act on.
use anchor_lang::prelude::*;

/// Codes start at 6000 in the order below; new ones go to the end.
#[error_code]
#[derive(PartialEq, Eq)]
pub enum VaultError {
    /// 6000
    #[msg("The vault still holds the old layout: migrate it first.")]
    NeedsMigration,
    /// 6001
    #[msg("The vault holds a newer layout than this program serves.")]
    NewerLayout,
    /// 6002
    #[msg("The account is not a vault.")]
    NotAVault,
    /// 6003
    #[msg("The amount is zero.")]
    ZeroAmount,
    /// 6004
    #[msg("The vault's balance is smaller than the amount.")]
    BalanceTooSmall,
    /// 6005
    #[msg("The vault would fall below the lamports that its rent and balance need.")]
    RentNeeded,
    /// 6006
    #[msg("The amount is above the limit of one withdrawal.")]
    AboveLimit,
    /// 6007
    #[msg("A number left its range.")]
    Overflow,
    /// 6008
    #[msg("Account 0 is not the migrator address of the pinned upgrade manager.")]
    NotTheMigrator,
    /// 6009
    #[msg("This program knows no way between these two versions.")]
    UnknownTransition,
    /// 6010
    #[msg("The vault is not at the version that the call starts from.")]
    WrongVersion,
    /// 6011
    #[msg("The vault's bytes do not have the hash that the call expects.")]
    WrongHash,
    /// 6012
    #[msg("The bytes to restore are not this vault's: owner, index or layout differ.")]
    ForeignBytes,
    /// 6013
    #[msg("The vault counts more deposits than the old layout can hold.")]
    TooManyDeposits,
    /// 6014
    #[msg("The account for rent is the vault itself.")]
    RentIsVault,
}
