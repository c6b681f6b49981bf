//! Whether an ELF is complete. Its section headers come last and end in zeros. A copy without its
//! trailing zeros therefore has the right hash, and yet the loader refuses to deploy it.
use anchor_lang::prelude::*;

use crate::error::ManagerError;
use crate::runtime::require::require;

/// Type of a section that takes no bytes in the file (`SHT_NOBITS`).
const NO_BITS: u32 = 8;
/// Bytes of one section header that are read here: up to and including its size field.
const SECTION: usize = 40;

/// The section headers of `elf`, and every section they name, lie inside it.
///
/// # Errors
/// [`ManagerError::ElfCutShort`].
pub fn require_whole(elf: &[u8]) -> Result<()> {
    require!(is_whole(elf) == Some(true), ManagerError::ElfCutShort);
    Ok(())
}

fn is_whole(elf: &[u8]) -> Option<bool> {
    let (table, size, count) = (u64_at(elf, 40)?, u16_at(elf, 58)?, u16_at(elf, 60)?);
    if count == 0 {
        return Some(true);
    }
    let (start, size) = (usize::try_from(table).ok()?, usize::from(size));
    let table = elf.get(start..start.checked_add(size.checked_mul(usize::from(count))?)?)?;
    let mut sections = table.chunks_exact(size.max(SECTION));
    Some(sections.all(|section| ends_inside(section, elf.len()) == Some(true)))
}

fn ends_inside(section: &[u8], len: usize) -> Option<bool> {
    let kind = u32::from_le_bytes(*section.get(4..)?.first_chunk()?);
    let end = u64_at(section, 24)?.checked_add(u64_at(section, 32)?)?;
    Some(kind == NO_BITS || usize::try_from(end).ok()? <= len)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header, eight bytes of one section, and that section's header of 64 bytes.
    fn elf() -> Vec<u8> {
        let mut out = vec![0; 64];
        out[40..48].copy_from_slice(&72u64.to_le_bytes());
        out[58..60].copy_from_slice(&64u16.to_le_bytes());
        out[60..62].copy_from_slice(&1u16.to_le_bytes());
        out.extend([1; 8]);
        let mut section = [0; 64];
        section[4] = 1;
        section[24] = 64;
        section[32] = 8;
        out.extend(section);
        out
    }

    #[test]
    fn an_elf_without_its_trailing_zeros_is_cut_short() {
        let elf = elf();
        assert!(require_whole(&elf).is_ok());
        let trimmed = elf.iter().rposition(|b| *b != 0).unwrap() + 1;
        assert!(trimmed < elf.len(), "the case that matters");
        for len in 0..elf.len() {
            assert!(require_whole(&elf[..len]).is_err(), "{len}");
        }
        let mut padded = elf;
        padded.extend([0; 9]);
        assert!(require_whole(&padded).is_ok());
    }

    #[test]
    fn a_section_beyond_the_end_is_missing_unless_it_takes_no_bytes() {
        let mut elf = elf();
        elf[72 + 32] = 200;
        assert!(require_whole(&elf).is_err());
        elf[72 + 4] = 8;
        assert!(require_whole(&elf).is_ok());
        elf[72 + 4] = 1;
        elf[72 + 24..72 + 40].fill(0xff);
        assert!(require_whole(&elf).is_err(), "no wrap-around");
        elf[40..48].fill(0xff);
        assert!(require_whole(&elf).is_err(), "nor here");
    }
}
