//! Reads, creates, writes and closes every account of the manager. The manager creates each kind of
//! account at its own address only, so owner and discriminator prove the kind of an account, and
//! the keys inside it prove which one it is. No rule about the contents is here.
use anchor_lang::prelude::*;
use anchor_lang::solana_program::program::{invoke, invoke_signed};
use anchor_lang::solana_program::system_program;

use crate::error::{ManagerError, to_error};
use crate::external::system;
use crate::runtime::require::require;
use crate::runtime::slice_writer::SliceWriter;
use crate::seeds;

/// Who pays for a new account, and what creating it needs.
pub(crate) struct Payer<'a, 'info> {
    /// Signs and pays.
    pub payer: &'a AccountInfo<'info>,
    /// The system program.
    pub system_program: &'a AccountInfo<'info>,
    /// The cluster's rent.
    pub rent: &'a Rent,
}

/// Reads the account in `info`, which the manager must own.
#[inline(never)]
pub(crate) fn read<T: AccountDeserialize + Discriminator>(info: &AccountInfo) -> Result<Box<T>> {
    require_kind(info, T::DISCRIMINATOR)?;
    Ok(Box::new(T::try_deserialize_unchecked(&mut &info.try_borrow_data()?[..])?))
}

/// The manager owns `info`, and its data starts with `discriminator`. Anchor's check returns the
/// same errors, but is compiled once for each account type; this one is compiled once.
#[inline(never)]
fn require_kind(info: &AccountInfo, discriminator: &[u8]) -> Result<()> {
    require!(*info.owner == crate::ID, ManagerError::WrongAccount);
    let data = info.try_borrow_data()?;
    if data.starts_with(discriminator) {
        return Ok(());
    }
    let short = data.len() < discriminator.len();
    Err(if short {
        ErrorCode::AccountDiscriminatorNotFound.into()
    } else {
        ErrorCode::AccountDiscriminatorMismatch.into()
    })
}

/// Like [`read`], for an account that may be closed: `None` when the manager does not own `info`.
pub(crate) fn read_if_any<T>(info: &AccountInfo) -> Result<Option<Box<T>>>
where
    T: AccountDeserialize + Discriminator,
{
    if *info.owner == crate::ID { read(info).map(Some) } else { Ok(None) }
}

/// Writes `value` into its account.
#[inline(never)]
pub(crate) fn write<T: AccountSerialize>(info: &AccountInfo, value: &T) -> Result<()> {
    value.try_serialize(&mut SliceWriter(&mut info.try_borrow_mut_data()?))
}

/// Creates an account of `space` bytes at `info`, which must be the address of `seeds` and their
/// canonical bump. Returns the bump. The system program's `CreateAccount` refuses an address that
/// holds lamports, and anyone can send some there first; then this adds what is missing, allocates
/// and assigns.
#[inline(never)]
pub(crate) fn create<'info>(
    info: &AccountInfo<'info>,
    seeds: &[&[u8]],
    space: usize,
    by: &Payer<'_, 'info>,
) -> Result<u8> {
    let bump = canonical_bump(info.key, seeds)?;
    require!(*info.owner == system_program::ID, ManagerError::AddressTaken);
    let bumps = [bump];
    let signer = seeds::signer_seeds(seeds, &bumps);
    let (len, need) = (space as u64, by.rent.minimum_balance(space));
    let infos = [by.payer.clone(), info.clone(), by.system_program.clone()];
    if info.lamports() == 0 {
        let create = system::create_account(by.payer.key, info.key, need, len);
        invoke_signed(&create, &infos, &[&signer])?;
        return Ok(bump);
    }
    let missing = need.saturating_sub(info.lamports());
    if missing > 0 {
        invoke(&system::transfer(by.payer.key, info.key, missing), &infos)?;
    }
    invoke_signed(&system::allocate(info.key, len), &infos, &[&signer])?;
    invoke_signed(&system::assign(info.key), &infos, &[&signer])?;
    Ok(bump)
}

/// The bump of `address` under `seeds`. It must be the canonical one, so that no second address
/// exists for the same seeds. `find_program_address` would cost 1,500 compute units more: only the
/// bumps above the one that matches are checked by system call.
#[inline(never)]
fn canonical_bump(address: &Pubkey, seeds: &[&[u8]]) -> Result<u8> {
    for bump in (0..=u8::MAX).rev() {
        if seeds::derive_address(seeds, bump) == *address {
            return Ok(bump);
        }
        let higher =
            Pubkey::create_program_address(&seeds::signer_seeds(seeds, &[bump]), &crate::ID);
        require!(higher.is_err(), ManagerError::WrongAccount);
    }
    Err(to_error(ManagerError::WrongAccount))
}

/// Closes `info`: its lamports go to `refund`, its data is removed and the system program owns it.
/// An instruction must not use `info` afterwards.
#[inline(never)]
pub(crate) fn close<'info>(info: &AccountInfo<'info>, refund: &AccountInfo<'info>) -> Result<()> {
    require!(info.key != refund.key, ManagerError::WrongAccount);
    refund.add_lamports(info.lamports())?;
    **info.try_borrow_mut_lamports()? = 0;
    info.assign(&system_program::ID);
    Ok(info.resize(0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_bump_is_accepted() {
        let mut lower_bumps = 0;
        for i in 0..=40u8 {
            let key = [i; 32];
            let seeds = [seeds::VERSION, key.as_ref()];
            let (address, bump) = Pubkey::find_program_address(&seeds, &crate::ID);
            assert_eq!(canonical_bump(&address, &seeds).unwrap(), bump);
            lower_bumps += u32::from(bump < u8::MAX);
            for other in (0..bump).rev().take(4) {
                let address = seeds::derive_address(&seeds, other);
                assert!(canonical_bump(&address, &seeds).is_err(), "{other} below {bump}");
            }
        }
        assert!(lower_bumps > 5, "both cases were met");
    }
}
