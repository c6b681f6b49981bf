//! Rules about an ELF: where it ends, whether it is complete, and its hash. Pure: they take bytes.
//! Bytes are compared by system call, because a loop over megabytes would exceed a transaction's
//! compute budget.
use anchor_lang::prelude::*;
use anchor_lang::solana_program::program_memory::sol_memcmp;
use solana_sha256_hasher::hash;

use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;

mod chunks;
mod headers;
pub use chunks::{CHUNK_LEN, add_chunk, chunked_hash, chunks};
pub use headers::require_whole;

/// Largest ELF in bytes that one transaction can hash and install; a larger one is hashed chunk by
/// chunk.
pub const MAX_INLINE_LEN: usize = 2 * 1024 * 1024;
/// Largest ELF in bytes that a program can have: an account's 10 MiB without the 45 bytes of a
/// ProgramData account's header.
pub const MAX_ELF_LEN: usize = 10 * 1024 * 1024 - 45;

const ELF_MAGIC: &[u8] = b"\x7fELF";

/// Whether `a` equals `b`.
#[must_use]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    #[allow(unsafe_code, reason = "the system call reads both slices up to their common length")]
    let difference = || unsafe { sol_memcmp(a, b, a.len()) };
    a.len() == b.len() && difference() == 0
}

/// Whether every byte is zero: the first one is, and each equals the one before it. This needs one
/// system call and no buffer of zeros.
#[must_use]
pub fn all_zero(bytes: &[u8]) -> bool {
    match (bytes.split_first(), bytes.split_last()) {
        (Some((first, but_first)), Some((_, but_last))) => {
            *first == 0 && equal(but_last, but_first)
        }
        _ => true,
    }
}

/// `elf` without its trailing zeros. The caller says where they start, because searching for the
/// last byte would cost too many compute units; checking the claim is cheap.
///
/// # Errors
/// [`ManagerError::TrimmedLength`] when they start elsewhere.
pub fn trimmed(elf: &[u8], trimmed_len: u32) -> Result<&[u8]> {
    let len = usize::try_from(trimmed_len).or_err(ManagerError::TrimmedLength)?;
    let (body, tail) = elf.split_at_checked(len).or_err(ManagerError::TrimmedLength)?;
    let ends_nonzero = body.last().is_some_and(|byte| *byte != 0);
    require!(ends_nonzero && all_zero(tail), ManagerError::TrimmedLength);
    Ok(body)
}

/// The bytes start like an ELF.
///
/// # Errors
/// [`ManagerError::NotAnElf`].
pub fn require_elf(trimmed: &[u8]) -> Result<()> {
    require!(trimmed.starts_with(ELF_MAGIC), ManagerError::NotAnElf);
    Ok(())
}

/// solana-verify's hash of an ELF without its trailing zeros, of a size that one transaction can
/// hash.
///
/// # Errors
/// [`ManagerError::NotAnElf`] or [`ManagerError::NeedsChunks`].
pub fn elf_hash(trimmed: &[u8]) -> Result<[u8; 32]> {
    require_elf(trimmed)?;
    require!(trimmed.len() <= MAX_INLINE_LEN, ManagerError::NeedsChunks);
    Ok(hash(trimmed).to_bytes())
}

/// The manager's hash of an ELF without its trailing zeros: solana-verify's up to
/// [`MAX_INLINE_LEN`], the chunked one above. Only clients call this: a large ELF exceeds a
/// transaction's compute budget.
///
/// # Errors
/// [`ManagerError::NotAnElf`] or [`ManagerError::ElfTooLarge`].
pub fn code_hash(trimmed: &[u8]) -> Result<[u8; 32]> {
    if trimmed.len() <= MAX_INLINE_LEN {
        return elf_hash(trimmed);
    }
    require_elf(trimmed)?;
    require!(trimmed.len() <= MAX_ELF_LEN, ManagerError::ElfTooLarge);
    let link = |acc, (index, chunk)| add_chunk(&acc, index, chunk);
    let acc = (0u32..).zip(trimmed.chunks(CHUNK_LEN)).fold([0; 32], link);
    let len = u32::try_from(trimmed.len()).or_err(ManagerError::ElfTooLarge)?;
    Ok(chunked_hash(&acc, len))
}

/// `live` is the trimmed ELF `copy` followed by zeros.
///
/// # Errors
/// [`ManagerError::RollbackNotLive`].
pub fn require_same_code(copy: &[u8], live: &[u8]) -> Result<()> {
    let (code, padding) =
        live.split_at_checked(copy.len()).or_err(ManagerError::RollbackNotLive)?;
    require!(equal(code, copy) && all_zero(padding), ManagerError::RollbackNotLive);
    Ok(())
}

#[cfg(test)]
mod tests;
