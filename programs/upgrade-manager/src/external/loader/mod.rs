//! The upgradeable loader: its account layouts, read with checked lengths, and whether a buffer or
//! a program still holds what a proposal pinned.
use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;

use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;
use crate::state::PinnedElf;
use crate::state::elf::{MAX_ELF_LEN, MAX_INLINE_LEN, elf_hash, require_same_code, trimmed};

mod authority;
pub use authority::{InstallAccounts, UpgradeAuthority};

/// The loader.
pub const ID: Pubkey = bpf_loader_upgradeable::ID;
/// Bytes in front of the ELF in a buffer: tag, option, authority.
pub const BUFFER_HEADER: usize = 37;
/// Bytes in front of the ELF in a ProgramData account: tag, slot, option, authority.
pub const PROGRAM_DATA_HEADER: usize = 45;
const _: () = assert!(MAX_ELF_LEN == 10 * 1024 * 1024 - PROGRAM_DATA_HEADER, "see `state::elf`");

/// A buffer or ProgramData account: the ELF in it, and who may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeAccount<'a> {
    /// Who may change the account; `None` when it is immutable.
    pub authority: Option<Pubkey>,
    /// Everything behind the header, padding included.
    pub elf: &'a [u8],
}

/// Reads a buffer from the `data` of an account that `owner` owns.
///
/// # Errors
/// [`ManagerError::NotALoaderAccount`].
pub fn buffer<'a>(owner: &Pubkey, data: &'a [u8]) -> Result<CodeAccount<'a>> {
    parse(owner, data, 1, 4, BUFFER_HEADER)
}

/// Reads a ProgramData account from the `data` of an account that `owner` owns.
///
/// # Errors
/// [`ManagerError::NotALoaderAccount`].
pub fn program_data<'a>(owner: &Pubkey, data: &'a [u8]) -> Result<CodeAccount<'a>> {
    parse(owner, data, 3, 12, PROGRAM_DATA_HEADER)
}

/// The address of the ProgramData account of the program in `data`, an account that `owner` owns.
///
/// # Errors
/// [`ManagerError::NotALoaderAccount`].
pub fn program_data_address(owner: &Pubkey, data: &[u8]) -> Result<Pubkey> {
    let address = || -> Option<Pubkey> {
        let rest = data.strip_prefix(&2u32.to_le_bytes())?;
        Some(Pubkey::new_from_array(*rest.first_chunk::<32>()?))
    };
    require!(*owner == ID, ManagerError::NotALoaderAccount);
    address().or_err(ManagerError::NotALoaderAccount)
}

fn parse<'a>(
    owner: &Pubkey,
    data: &'a [u8],
    tag: u32,
    option_at: usize,
    header: usize,
) -> Result<CodeAccount<'a>> {
    let fields = || -> Option<CodeAccount<'a>> {
        let (head, elf) = data.split_at_checked(header)?;
        head.strip_prefix(&tag.to_le_bytes())?;
        let (option, key) = head.get(option_at..)?.split_first()?;
        let key = Pubkey::new_from_array(*key.first_chunk::<32>()?);
        let authority = match option {
            0 => None,
            1 => Some(key),
            _ => return None,
        };
        Some(CodeAccount { authority, elf })
    };
    require!(*owner == ID, ManagerError::NotALoaderAccount);
    fields().or_err(ManagerError::NotALoaderAccount)
}

impl<'a> CodeAccount<'a> {
    /// The ELF, when `authority` is the account's authority.
    ///
    /// # Errors
    /// [`ManagerError::BufferNotFrozen`].
    pub fn require_frozen(self, authority: &Pubkey) -> Result<&'a [u8]> {
        require!(self.authority == Some(*authority), ManagerError::BufferNotFrozen);
        Ok(self.elf)
    }
}

/// The ELF in `held` without its trailing zeros. The buffer must be frozen under `authority` and as
/// long as `pinned` says.
fn pinned_elf<'a>(
    held: CodeAccount<'a>,
    pinned: &PinnedElf,
    authority: &Pubkey,
) -> Result<&'a [u8]> {
    let elf = held.require_frozen(authority)?;
    require!(u32::try_from(elf.len()) == Ok(pinned.len), ManagerError::HashMismatch);
    trimmed(elf, pinned.trimmed_len)
}

/// The frozen buffer still holds what was pinned. An ELF that one transaction can hash is hashed
/// again. For a larger one the freeze vouches: after the attestation only closing could change the
/// buffer, and a buffer is not closed before its proposal has ended.
///
/// # Errors
/// What no longer holds, [`ManagerError::HashMismatch`] for other bytes.
pub fn require_pinned(info: &AccountInfo, pinned: &PinnedElf, authority: &Pubkey) -> Result<()> {
    let data = info.try_borrow_data()?;
    let elf = pinned_elf(buffer(info.owner, &data)?, pinned, authority)?;
    if elf.len() <= MAX_INLINE_LEN {
        require!(elf_hash(elf)? == pinned.sha256, ManagerError::HashMismatch);
    }
    Ok(())
}

/// The frozen buffer holds what was pinned, and the program runs the same code now.
///
/// # Errors
/// What no longer holds, [`ManagerError::RollbackNotLive`] for other bytes.
pub fn require_live(
    info: &AccountInfo,
    pinned: &PinnedElf,
    live: &AccountInfo,
    authority: &Pubkey,
) -> Result<()> {
    let (copy, live_data) = (info.try_borrow_data()?, live.try_borrow_data()?);
    let copy = pinned_elf(buffer(info.owner, &copy)?, pinned, authority)?;
    let live = program_data(live.owner, &live_data)?;
    require!(live.authority == Some(*authority), ManagerError::AuthorityLost);
    require_same_code(copy, live.elf)
}

/// `authority` still holds the upgrade authority of the program behind `live`.
///
/// # Errors
/// [`ManagerError::AuthorityLost`].
pub fn require_authority(live: &AccountInfo, authority: &Pubkey) -> Result<()> {
    let held = program_data(live.owner, &live.try_borrow_data()?)?.authority;
    require!(held == Some(*authority), ManagerError::AuthorityLost);
    Ok(())
}

#[cfg(test)]
mod tests;
