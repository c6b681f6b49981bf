//! Creates and reads backups of critical accounts, which come in as remaining accounts.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::io::Payer;
use crate::error::ManagerError;
use crate::runtime::require::require;
use crate::seeds;
use crate::state::AccountBackup;

/// Creates a backup of `account` of `program` in `info`, before `proposal` migrates the account.
/// `sha256` is the hash of the account's data.
#[inline(never)]
pub(crate) fn create<'info>(
    (program, proposal): (&Pubkey, &Pubkey),
    account: &AccountInfo,
    sha256: [u8; 32],
    info: &AccountInfo<'info>,
    by: &Payer<'_, 'info>,
) -> Result<()> {
    require!(*info.owner != crate::ID, ManagerError::BackupExists);
    let seeds = [seeds::BACKUP, program.as_ref(), account.key.as_ref()];
    let bytes = account.try_borrow_data()?;
    let space = AccountBackup::HEADER.saturating_add(bytes.len());
    let bump = io::create(info, &seeds, space, by)?;
    let of = (*program, *account.key, *proposal);
    io::write(info, &AccountBackup::new(of, sha256, *by.payer.key, bump))?;
    AccountBackup::fill(&mut info.try_borrow_mut_data()?, &bytes)
}

/// The account's bytes in `data`, the data of `info`. `info` must be the backup of `account` of
/// `program` that `proposal` made.
pub(crate) fn bytes<'a>(
    (program, proposal): (&Pubkey, &Pubkey),
    account: &Pubkey,
    info: &AccountInfo,
    data: &'a [u8],
) -> Result<&'a [u8]> {
    require!(*info.owner == crate::ID, ManagerError::WrongAccount);
    let (backup, bytes) = AccountBackup::borrow(data)?;
    require!(backup.program == *program, ManagerError::WrongAccount);
    require!(backup.account == *account, ManagerError::WrongAccount);
    require!(backup.proposal == *proposal, ManagerError::WrongAccount);
    Ok(bytes)
}
