//! Reads and creates version records, which come in as remaining accounts.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::io::Payer;
use crate::error::ManagerError;
use crate::runtime::require::require;
use crate::seeds;
use crate::state::AccountVersion;

/// Bytes of a record's account.
const SPACE: usize = 8 + AccountVersion::INIT_SPACE;

/// Reads the record in `info`, which must be the one of `account` of `program`.
pub(crate) fn read_record(
    program: &Pubkey,
    account: &Pubkey,
    info: &AccountInfo,
) -> Result<Box<AccountVersion>> {
    let record: Box<AccountVersion> = io::read(info)?;
    // A record is created at its own address only, so its fields identify it.
    require!(record.program == *program, ManagerError::WrongAccount);
    require!(record.account == *account, ManagerError::WrongAccount);
    Ok(record)
}

/// Like [`read_record`], but creates the record, at `version`, where there is none.
pub(crate) fn read_or_create_record<'info>(
    program: &Pubkey,
    account: &Pubkey,
    version: u16,
    info: &AccountInfo<'info>,
    by: &Payer<'_, 'info>,
) -> Result<Box<AccountVersion>> {
    if *info.owner == crate::ID {
        return read_record(program, account, info);
    }
    let seeds = [seeds::VERSION, program.as_ref(), account.as_ref()];
    let bump = io::create(info, &seeds, SPACE, by)?;
    Ok(Box::new(AccountVersion::new(*program, *account, version, bump, *by.payer.key)))
}
