//! Version records, whose addresses come in as remaining accounts.
use anchor_lang::prelude::*;

use crate::error::ManagerError;
use crate::seeds;
use crate::state::AccountVersion;
use crate::stored::{self, Payer};

/// Bytes of a record.
const SPACE: usize = 8 + AccountVersion::INIT_SPACE;

/// The record in `info`, which must be the one of `account` of `program`.
pub(crate) fn load(
    program: &Pubkey,
    account: &Pubkey,
    info: &AccountInfo,
) -> Result<Box<AccountVersion>> {
    let record: Box<AccountVersion> = stored::read(info)?;
    // Records are made at their own address only, so that their fields identify them.
    control!(record.program == *program, ManagerError::WrongAccount);
    control!(record.account == *account, ManagerError::WrongAccount);
    Ok(record)
}

/// As [`load`], and makes the record at `version` where there is none yet.
pub(crate) fn load_or_create<'info>(
    program: &Pubkey,
    account: &Pubkey,
    version: u16,
    info: &AccountInfo<'info>,
    by: &Payer<'_, 'info>,
) -> Result<Box<AccountVersion>> {
    if *info.owner == crate::ID {
        return load(program, account, info);
    }
    let seeds = [seeds::VERSION, program.as_ref(), account.as_ref()];
    let bump = stored::create(info, &seeds, SPACE, by)?;
    Ok(Box::new(AccountVersion::new(*program, *account, version, bump, *by.payer.key)))
}
