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

/// An ELF in an account of the loader, and who may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeAccount<'a> {
    /// Who may change it; nobody when `None`.
    pub authority: Option<Pubkey>,
    /// Everything behind the header, padding included.
    pub elf: &'a [u8],
}

/// The buffer in `data` of an account that `owner` owns.
///
/// # Errors
/// [`ManagerError::NotALoaderAccount`].
pub fn buffer<'a>(owner: &Pubkey, data: &'a [u8]) -> Result<CodeAccount<'a>> {
    held(owner, data, 1, 4, BUFFER_HEADER)
}

/// The ProgramData account in `data` of an account that `owner` owns.
///
/// # Errors
/// [`ManagerError::NotALoaderAccount`].
pub fn program_data<'a>(owner: &Pubkey, data: &'a [u8]) -> Result<CodeAccount<'a>> {
    held(owner, data, 3, 12, PROGRAM_DATA_HEADER)
}

/// Where the program in `data` of an account that `owner` owns keeps its code.
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

fn held<'a>(
    owner: &Pubkey,
    data: &'a [u8],
    tag: u32,
    option_at: usize,
    header: usize,
) -> Result<CodeAccount<'a>> {
    let parse = || -> Option<CodeAccount<'a>> {
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
    parse().or_err(ManagerError::NotALoaderAccount)
}

impl<'a> CodeAccount<'a> {
    /// The ELF of a buffer that only `authority` can change.
    ///
    /// # Errors
    /// [`ManagerError::BufferNotFrozen`].
    pub fn require_frozen(self, authority: &Pubkey) -> Result<&'a [u8]> {
        require!(self.authority == Some(*authority), ManagerError::BufferNotFrozen);
        Ok(self.elf)
    }
}

/// `buffer` is frozen under `authority` and as long as `pinned` says; its ELF without trailing zeros.
fn pinned_elf<'a>(
    held: CodeAccount<'a>,
    pinned: &PinnedElf,
    authority: &Pubkey,
) -> Result<&'a [u8]> {
    let elf = held.require_frozen(authority)?;
    require!(u32::try_from(elf.len()) == Ok(pinned.len), ManagerError::HashMismatch);
    trimmed(elf, pinned.trimmed_len)
}

/// The frozen buffer still holds what was pinned. What one transaction can hash is hashed again; of
/// a larger ELF its freezing vouches for the bytes that the attestation saw, because nothing but a
/// closing can change them, and no buffer of a proposal closes before that has ended.
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

/// The frozen buffer holds what was pinned, and that is what runs now.
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
