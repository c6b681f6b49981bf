//! Version records, whose addresses come in as remaining accounts.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::io::Payer;
use crate::error::ManagerError;
use crate::runtime::require::require;
use crate::seeds;
use crate::state::AccountVersion;

/// Bytes of a record.
const SPACE: usize = 8 + AccountVersion::INIT_SPACE;

/// The record in `info`, which must be the one of `account` of `program`.
pub(crate) fn read_record(
    program: &Pubkey,
    account: &Pubkey,
    info: &AccountInfo,
) -> Result<Box<AccountVersion>> {
    let record: Box<AccountVersion> = io::read(info)?;
    // Records are made at their own address only, so that their fields identify them.
    require!(record.program == *program, ManagerError::WrongAccount);
    require!(record.account == *account, ManagerError::WrongAccount);
    Ok(record)
}

/// As [`read_record`], and makes the record at `version` where there is none yet.
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
