//! Version records by hand: their addresses come in as remaining accounts, which Anchor does not
//! load. Creates, reads and writes them; knows no rule about their contents.
use anchor_lang::prelude::*;
use anchor_lang::solana_program::program::{invoke, invoke_signed};
use anchor_lang::solana_program::{system_instruction, system_program};

use crate::error::ManagerError;
use crate::seeds;
use crate::state::AccountVersion;

/// Bytes of a record.
const SPACE: usize = 8 + AccountVersion::INIT_SPACE;

/// Who pays for new records, and what that takes.
pub(crate) struct Payer<'a, 'info> {
    /// Signs and pays.
    pub payer: &'a AccountInfo<'info>,
    /// The system program.
    pub system_program: &'a AccountInfo<'info>,
    /// The cluster's rent.
    pub rent: &'a Rent,
}

/// The record in `info`, which must be the one of `account` of `program`.
pub(crate) fn load(
    program: &Pubkey,
    account: &Pubkey,
    info: &AccountInfo,
) -> Result<AccountVersion> {
    require_keys_eq!(*info.owner, crate::ID, ManagerError::WrongAccount);
    let record = AccountVersion::try_deserialize(&mut &info.try_borrow_data()?[..])?;
    // Records are made at their own address only, so that their fields identify them.
    require!(record.program == *program && record.account == *account, ManagerError::WrongAccount);
    Ok(record)
}

/// As [`load`], and makes the record at `version` where there is none yet.
pub(crate) fn load_or_create<'info>(
    program: &Pubkey,
    account: &Pubkey,
    version: u16,
    info: &AccountInfo<'info>,
    by: &Payer<'_, 'info>,
) -> Result<AccountVersion> {
    if *info.owner == crate::ID {
        return load(program, account, info);
    }
    let (address, bump) = seeds::account_version(program, account);
    require_keys_eq!(*info.key, address, ManagerError::WrongAccount);
    let signer: &[&[u8]] = &[seeds::VERSION, program.as_ref(), account.as_ref(), &[bump]];
    create(info, signer, by)?;
    Ok(AccountVersion::new(*program, *account, version, bump, *by.payer.key))
}

/// Writes `record` into its account.
pub(crate) fn save(info: &AccountInfo, record: &AccountVersion) -> Result<()> {
    record.try_serialize(&mut &mut info.try_borrow_mut_data()?[..])
}

/// Makes the account at a derived address. Anyone may have sent lamports there before, which the
/// system program's `CreateAccount` would refuse.
fn create<'info>(info: &AccountInfo<'info>, signer: &[&[u8]], by: &Payer<'_, 'info>) -> Result<()> {
    require_keys_eq!(*info.owner, system_program::ID, ManagerError::WrongAccount);
    let (space, need) = (SPACE as u64, by.rent.minimum_balance(SPACE));
    let infos = [by.payer.clone(), info.clone(), by.system_program.clone()];
    if info.lamports() == 0 {
        let create =
            system_instruction::create_account(by.payer.key, info.key, need, space, &crate::ID);
        return Ok(invoke_signed(&create, &infos, &[signer])?);
    }
    let missing = need.saturating_sub(info.lamports());
    if missing > 0 {
        invoke(&system_instruction::transfer(by.payer.key, info.key, missing), &infos)?;
    }
    invoke_signed(&system_instruction::allocate(info.key, space), &infos, &[signer])?;
    Ok(invoke_signed(&system_instruction::assign(info.key, &crate::ID), &infos, &[signer])?)
}
