//! The upgradeable loader: its account layouts, read with checked lengths, and the three
//! instructions the manager sends to it, with data that no caller can choose. Bytes are compared by
//! system call: a loop over megabytes would not fit into a transaction.
use anchor_lang::prelude::*;
use anchor_lang::solana_program::{
    bpf_loader_upgradeable, instruction::Instruction, program::invoke_signed,
    program_memory::sol_memcmp,
};
use solana_sha256_hasher::hash;

use crate::error::{ManagerError, OrRefuse as _};
use crate::seeds;
use crate::state::PinnedElf;

mod chunks;
mod elf;
pub use chunks::{CHUNK, add_chunk, chunked_hash, chunks};
pub use elf::require_whole;

/// The loader.
pub const ID: Pubkey = bpf_loader_upgradeable::ID;
/// Bytes in front of the ELF in a buffer: tag, option, authority.
pub const BUFFER_HEADER: usize = 37;
/// Bytes in front of the ELF in a ProgramData account: tag, slot, option, authority.
pub const PROGRAM_DATA_HEADER: usize = 45;
/// Largest ELF in bytes that one transaction can hash and install; a larger one is hashed chunk by
/// chunk.
pub const MAX_INLINE: usize = 2 * 1024 * 1024;
/// Largest ELF in bytes that a program can have: an account's 10 MiB without the header.
pub const MAX_ELF: usize = 10 * 1024 * 1024 - PROGRAM_DATA_HEADER;

const ELF_MAGIC: &[u8] = b"\x7fELF";
const UPGRADE: u8 = 3;
const CLOSE: u8 = 5;
const SET_AUTHORITY_CHECKED: u8 = 7;

/// An ELF in an account of the loader, and who may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held<'a> {
    /// Who may change it; nobody when `None`.
    pub authority: Option<Pubkey>,
    /// Everything behind the header, padding included.
    pub elf: &'a [u8],
}

/// The buffer in `data` of an account that `owner` owns.
///
/// # Errors
/// [`ManagerError::NotALoaderAccount`].
pub fn buffer<'a>(owner: &Pubkey, data: &'a [u8]) -> Result<Held<'a>> {
    held(owner, data, 1, 4, BUFFER_HEADER)
}

/// The ProgramData account in `data` of an account that `owner` owns.
///
/// # Errors
/// [`ManagerError::NotALoaderAccount`].
pub fn program_data<'a>(owner: &Pubkey, data: &'a [u8]) -> Result<Held<'a>> {
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
    control!(*owner == ID, ManagerError::NotALoaderAccount);
    address().or_refuse(ManagerError::NotALoaderAccount)
}

fn held<'a>(
    owner: &Pubkey,
    data: &'a [u8],
    tag: u32,
    option_at: usize,
    header: usize,
) -> Result<Held<'a>> {
    let parse = || -> Option<Held<'a>> {
        let (head, elf) = data.split_at_checked(header)?;
        head.strip_prefix(&tag.to_le_bytes())?;
        let (option, key) = head.get(option_at..)?.split_first()?;
        let key = Pubkey::new_from_array(*key.first_chunk::<32>()?);
        let authority = match option {
            0 => None,
            1 => Some(key),
            _ => return None,
        };
        Some(Held { authority, elf })
    };
    control!(*owner == ID, ManagerError::NotALoaderAccount);
    parse().or_refuse(ManagerError::NotALoaderAccount)
}

impl<'a> Held<'a> {
    /// The ELF of a buffer that only `authority` can change.
    ///
    /// # Errors
    /// [`ManagerError::BufferNotFrozen`].
    pub fn require_frozen(self, authority: &Pubkey) -> Result<&'a [u8]> {
        control!(self.authority == Some(*authority), ManagerError::BufferNotFrozen);
        Ok(self.elf)
    }
}

/// Whether `a` equals `b`.
#[must_use]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    #[allow(unsafe_code, reason = "the system call reads both slices up to their common length")]
    let difference = || unsafe { sol_memcmp(a, b, a.len()) };
    a.len() == b.len() && difference() == 0
}

/// Whether every byte is zero: the first is, and each equals the one before it.
#[must_use]
pub fn all_zero(bytes: &[u8]) -> bool {
    match (bytes.split_first(), bytes.split_last()) {
        (Some((first, but_first)), Some((_, but_last))) => {
            *first == 0 && equal(but_last, but_first)
        }
        _ => true,
    }
}

/// `elf` without its trailing zeros, of which the caller says where they start.
///
/// # Errors
/// [`ManagerError::TrimmedLength`] when they start elsewhere.
pub fn trimmed(elf: &[u8], trimmed_len: u32) -> Result<&[u8]> {
    let len = usize::try_from(trimmed_len).or_refuse(ManagerError::TrimmedLength)?;
    let (body, tail) = elf.split_at_checked(len).or_refuse(ManagerError::TrimmedLength)?;
    let ends = body.last().is_some_and(|byte| *byte != 0);
    control!(ends && all_zero(tail), ManagerError::TrimmedLength);
    Ok(body)
}

/// The bytes start like an ELF.
///
/// # Errors
/// [`ManagerError::NotAnElf`].
pub fn require_elf(trimmed: &[u8]) -> Result<()> {
    control!(trimmed.starts_with(ELF_MAGIC), ManagerError::NotAnElf);
    Ok(())
}

/// solana-verify's hash of an ELF without its trailing zeros, of a size that one transaction can
/// hash.
///
/// # Errors
/// [`ManagerError::NotAnElf`] or [`ManagerError::NeedsChunks`].
pub fn elf_hash(trimmed: &[u8]) -> Result<[u8; 32]> {
    require_elf(trimmed)?;
    control!(trimmed.len() <= MAX_INLINE, ManagerError::NeedsChunks);
    Ok(hash(trimmed).to_bytes())
}

/// The hash that the manager knows an ELF without its trailing zeros by: solana-verify's up to
/// [`MAX_INLINE`], the chunked one above. For clients: no transaction could pay for a large one.
///
/// # Errors
/// [`ManagerError::NotAnElf`] or [`ManagerError::ElfTooLarge`].
pub fn code_hash(trimmed: &[u8]) -> Result<[u8; 32]> {
    if trimmed.len() <= MAX_INLINE {
        return elf_hash(trimmed);
    }
    require_elf(trimmed)?;
    control!(trimmed.len() <= MAX_ELF, ManagerError::ElfTooLarge);
    let link = |acc, (index, chunk)| add_chunk(&acc, index, chunk);
    let acc = (0u32..).zip(trimmed.chunks(CHUNK)).fold([0; 32], link);
    let len = u32::try_from(trimmed.len()).or_refuse(ManagerError::ElfTooLarge)?;
    Ok(chunked_hash(&acc, len))
}

/// `buffer` is frozen under `authority` and as long as `pinned` says; its ELF without trailing zeros.
fn pinned_elf<'a>(held: Held<'a>, pinned: &PinnedElf, authority: &Pubkey) -> Result<&'a [u8]> {
    let elf = held.require_frozen(authority)?;
    control!(u32::try_from(elf.len()) == Ok(pinned.len), ManagerError::HashMismatch);
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
    if elf.len() <= MAX_INLINE {
        control!(elf_hash(elf)? == pinned.sha256, ManagerError::HashMismatch);
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
    control!(live.authority == Some(*authority), ManagerError::AuthorityLost);
    require_same_code(copy, live.elf)
}

/// `authority` still holds the upgrade authority of the program behind `live`.
///
/// # Errors
/// [`ManagerError::AuthorityLost`].
pub fn require_authority(live: &AccountInfo, authority: &Pubkey) -> Result<()> {
    let held = program_data(live.owner, &live.try_borrow_data()?)?.authority;
    control!(held == Some(*authority), ManagerError::AuthorityLost);
    Ok(())
}

/// The trimmed ELF `copy` is what `live` holds in front of its padding.
///
/// # Errors
/// [`ManagerError::RollbackNotLive`].
pub fn require_same_code(copy: &[u8], live: &[u8]) -> Result<()> {
    let (code, padding) =
        live.split_at_checked(copy.len()).or_refuse(ManagerError::RollbackNotLive)?;
    control!(equal(code, copy) && all_zero(padding), ManagerError::RollbackNotLive);
    Ok(())
}

/// The address that holds a program's upgrade authority, with what it needs to sign.
pub struct Authority<'a, 'info> {
    /// Its account.
    pub info: &'a AccountInfo<'info>,
    /// The program.
    pub program: &'a Pubkey,
    /// Its bump.
    pub bump: u8,
}

impl<'info> Authority<'_, 'info> {
    /// Takes over `held`, a buffer or ProgramData account, from `current`, who signs too.
    ///
    /// # Errors
    /// Whatever the loader refuses.
    pub fn take(
        &self,
        held: &AccountInfo<'info>,
        current: &AccountInfo<'info>,
        loader: &AccountInfo<'info>,
    ) -> Result<()> {
        let metas = vec![
            AccountMeta::new(*held.key, false),
            AccountMeta::new_readonly(*current.key, true),
            AccountMeta::new_readonly(*self.info.key, true),
        ];
        let infos = [held.clone(), current.clone(), self.info.clone(), loader.clone()];
        self.call(SET_AUTHORITY_CHECKED, metas, &infos)
    }

    /// Hands `held`, a ProgramData account, over to `new`, who signs too.
    ///
    /// # Errors
    /// Whatever the loader refuses.
    pub fn give(
        &self,
        held: &AccountInfo<'info>,
        new: &AccountInfo<'info>,
        loader: &AccountInfo<'info>,
    ) -> Result<()> {
        let metas = vec![
            AccountMeta::new(*held.key, false),
            AccountMeta::new_readonly(*self.info.key, true),
            AccountMeta::new_readonly(*new.key, true),
        ];
        let infos = [held.clone(), self.info.clone(), new.clone(), loader.clone()];
        self.call(SET_AUTHORITY_CHECKED, metas, &infos)
    }

    /// Closes a frozen buffer; its lamports go to `refund`.
    ///
    /// # Errors
    /// Whatever the loader refuses.
    pub fn close(
        &self,
        buffer: &AccountInfo<'info>,
        refund: &AccountInfo<'info>,
        loader: &AccountInfo<'info>,
    ) -> Result<()> {
        let metas = vec![
            AccountMeta::new(*buffer.key, false),
            AccountMeta::new(*refund.key, false),
            AccountMeta::new_readonly(*self.info.key, true),
        ];
        let infos = [buffer.clone(), refund.clone(), self.info.clone(), loader.clone()];
        self.call(CLOSE, metas, &infos)
    }

    /// Installs the code of a buffer.
    ///
    /// # Errors
    /// Whatever the loader refuses, a broken ELF for one.
    pub fn install(&self, with: &Install<'_, 'info>) -> Result<()> {
        let metas = vec![
            AccountMeta::new(*with.program_data.key, false),
            AccountMeta::new(*with.program.key, false),
            AccountMeta::new(*with.buffer.key, false),
            AccountMeta::new(*with.spill.key, false),
            AccountMeta::new_readonly(*with.rent.key, false),
            AccountMeta::new_readonly(*with.clock.key, false),
            AccountMeta::new_readonly(*self.info.key, true),
        ];
        let infos = [
            with.program_data.clone(),
            with.program.clone(),
            with.buffer.clone(),
            with.spill.clone(),
            with.rent.clone(),
            with.clock.clone(),
            self.info.clone(),
            with.loader.clone(),
        ];
        self.call(UPGRADE, metas, &infos)
    }

    fn call(
        &self,
        tag: u8,
        accounts: Vec<AccountMeta>,
        infos: &[AccountInfo<'info>],
    ) -> Result<()> {
        let instruction = Instruction { program_id: ID, accounts, data: vec![tag, 0, 0, 0] };
        let signer: &[&[u8]] = &[seeds::AUTHORITY, self.program.as_ref(), &[self.bump]];
        Ok(invoke_signed(&instruction, infos, &[signer])?)
    }
}

/// The accounts of an installation, in the loader's order.
pub struct Install<'a, 'info> {
    /// The program's ProgramData account.
    pub program_data: &'a AccountInfo<'info>,
    /// The program.
    pub program: &'a AccountInfo<'info>,
    /// The buffer with the code; the loader empties it.
    pub buffer: &'a AccountInfo<'info>,
    /// Where surplus lamports go.
    pub spill: &'a AccountInfo<'info>,
    /// The rent sysvar.
    pub rent: &'a AccountInfo<'info>,
    /// The clock sysvar.
    pub clock: &'a AccountInfo<'info>,
    /// The loader.
    pub loader: &'a AccountInfo<'info>,
}

#[cfg(test)]
mod tests;
