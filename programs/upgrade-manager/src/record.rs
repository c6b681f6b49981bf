//! Accounts of the manager that are read and written by hand: version records, whose addresses come
//! in as remaining accounts, and those of a vote, for speed. Knows no rule about their contents.
use std::io::{self, Write};
use std::mem;

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
    let record: AccountVersion = read(info)?;
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

/// The account in `info`, which the manager must own: it makes each kind at one address only.
pub(crate) fn read<T: AccountDeserialize>(info: &AccountInfo) -> Result<T> {
    require_keys_eq!(*info.owner, crate::ID, ManagerError::WrongAccount);
    T::try_deserialize(&mut &info.try_borrow_data()?[..])
}

/// Writes `value` into its account.
pub(crate) fn write<T: AccountSerialize>(info: &AccountInfo, value: &T) -> Result<()> {
    value.try_serialize(&mut Room(&mut info.try_borrow_mut_data()?))
}

/// Room that is left to write into. Unlike the standard library's writer for slices it writes all
/// or nothing, so that a field of known length becomes a few stores instead of a call.
struct Room<'a>(&'a mut [u8]);

impl Write for Room<'_> {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline(always)]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = mem::take(&mut self.0).split_at_mut_checked(bytes.len());
        let (here, rest) = room.ok_or(io::ErrorKind::WriteZero)?;
        here.copy_from_slice(bytes);
        self.0 = rest;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
