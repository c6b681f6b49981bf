//! What the bytes of an ELF tell: whether they are an ELF that can be deployed, its sBPF version, its
//! solana-verify hash. Pure. The instructions in it are not verified; the loader does that.
use sha2::{Digest, Sha256};
use upgrade_manager::state::elf::{self, code_hash};

/// ELF machine number of sBPF (`EM_BPF`) and of the older toolchain's own number.
const MACHINES: [u16; 2] = [247, 263];
/// Largest ELF that fits into a program's account.
pub const MAX_ELF: usize = elf::MAX_ELF_LEN;

/// What the header and the bytes of one ELF tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElfInfo {
    /// Bytes as they are.
    pub len: u32,
    /// Bytes without trailing zeros.
    pub trimmed_len: u32,
    /// sha256 of the trimmed bytes: solana-verify's hash.
    pub sha256: [u8; 32],
    /// sBPF version, from the ELF header's flags.
    pub sbpf_version: u32,
}

/// Why bytes are not a program that can be deployed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfProblem {
    /// No ELF magic.
    #[error("it does not start like an ELF")]
    NotAnElf,
    /// Not 64 bit little-endian.
    #[error("it is not a 64-bit little-endian ELF")]
    WrongClass,
    /// For another machine.
    #[error("it is built for machine {0}, not for sBPF; build it with `cargo build-sbf`")]
    WrongMachine(u16),
    /// Header cut short.
    #[error("it is cut short inside its header")]
    Truncated,
    /// Section headers lie behind the end.
    #[error("its section headers end at byte {end}, but it has only {len} bytes: it is cut short")]
    SectionsMissing {
        /// Where they end.
        end: u64,
        /// Bytes there are.
        len: usize,
    },
    /// Over the limit.
    #[error("it has {0} bytes; a program's account holds at most {MAX_ELF}")]
    TooLarge(usize),
}

/// `bytes` without trailing zeros, as solana-verify trims.
#[must_use]
pub fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last.saturating_add(1));
    bytes.get(..end).unwrap_or_default()
}

/// The hash that the chain computes of `bytes`: a file, or a buffer or ProgramData behind its header. Up to
/// 2 MiB it is solana-verify's hash, above that a hash over chunks. Bytes that are no program get a plain
/// sha256.
#[must_use]
pub fn verify_hash(bytes: &[u8]) -> [u8; 32] {
    let bytes = trimmed(bytes);
    code_hash(bytes).unwrap_or_else(|_| Sha256::digest(bytes).into())
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, ElfProblem> {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk::<2>);
    field.map(|b| u16::from_le_bytes(*b)).ok_or(ElfProblem::Truncated)
}

/// Where the section headers end: offset, and size times number of entries.
fn sections_end(bytes: &[u8]) -> Option<u64> {
    let offset = u64::from_le_bytes(*bytes.get(40..)?.first_chunk::<8>()?);
    let (size, count) = (u16_at(bytes, 58).ok()?, u16_at(bytes, 60).ok()?);
    Some(offset.saturating_add(u64::from(size).saturating_mul(u64::from(count))))
}

/// Length of the file at the start of `bytes`, behind which only padding follows: up to the last
/// byte that is not zero, or to the end of its section headers, which may end in zeros.
#[must_use]
pub fn file_len(bytes: &[u8]) -> usize {
    let headers = sections_end(bytes).and_then(|end| usize::try_from(end).ok()).unwrap_or_default();
    trimmed(bytes).len().max(headers).min(bytes.len())
}

/// Reads the header of `bytes`.
///
/// # Errors
/// [`ElfProblem`] names the first thing that is wrong.
pub fn inspect(bytes: &[u8]) -> Result<ElfInfo, ElfProblem> {
    if !bytes.starts_with(b"\x7fELF") {
        return Err(ElfProblem::NotAnElf);
    }
    match bytes.get(4..6) {
        Some([2, 1]) => {}
        Some(_) => return Err(ElfProblem::WrongClass),
        None => return Err(ElfProblem::Truncated),
    }
    let machine = u16_at(bytes, 18)?;
    if !MACHINES.contains(&machine) {
        return Err(ElfProblem::WrongMachine(machine));
    }
    let flags = bytes.get(48..).and_then(<[u8]>::first_chunk::<4>).ok_or(ElfProblem::Truncated)?;
    let end = sections_end(bytes).ok_or(ElfProblem::Truncated)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| end > len) {
        return Err(ElfProblem::SectionsMissing { end, len: bytes.len() });
    }
    if bytes.len() > MAX_ELF {
        return Err(ElfProblem::TooLarge(bytes.len()));
    }
    let len = |n: usize| u32::try_from(n).map_err(|_| ElfProblem::TooLarge(bytes.len()));
    Ok(ElfInfo {
        len: len(bytes.len())?,
        trimmed_len: len(trimmed(bytes).len())?,
        sha256: verify_hash(bytes),
        sbpf_version: u32::from_le_bytes(*flags),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The smallest header that `inspect` accepts: no sections, sBPF `version`.
    fn elf(version: u32, tail: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 64];
        out[..6].copy_from_slice(b"\x7fELF\x02\x01");
        out[18..20].copy_from_slice(&247u16.to_le_bytes());
        out[48..52].copy_from_slice(&version.to_le_bytes());
        out[58..60].copy_from_slice(&64u16.to_le_bytes());
        out.extend(tail);
        out
    }

    #[test]
    fn trimming_vectors() {
        let cases: [(&[u8], &[u8]); 6] = [
            (b"", b""),
            (b"\0", b""),
            (b"\0\0\0", b""),
            (b"a", b"a"),
            (b"a\0b\0\0", b"a\0b"),
            (b"\0a", b"\0a"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(trimmed(bytes), expected);
        }
        // sha256("abc"), FIPS 180-2, and sha256("").
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex::encode(verify_hash(b"abc\0\0\0")), abc);
        assert_eq!(hex::encode(verify_hash(&[0; 40])), empty);
    }

    #[test]
    fn a_good_header_is_read() {
        let info = inspect(&elf(3, b"code\0\0")).unwrap();
        assert_eq!((info.len, info.trimmed_len, info.sbpf_version), (70, 68, 3));
        assert_eq!(info.sha256, verify_hash(&elf(3, b"code")));
    }

    #[test]
    fn a_file_keeps_the_zeros_that_its_section_headers_need_and_no_others() {
        let mut bytes = elf(0, &[0; 200]);
        bytes[40..48].copy_from_slice(&64u64.to_le_bytes());
        bytes[60] = 2;
        assert_eq!(file_len(&bytes), 64 + 128);
        bytes[250] = 1;
        assert_eq!(file_len(&bytes), 251);
        assert_eq!(file_len(&bytes[..100]), 100);
        assert_eq!(file_len(b"\0\0"), 0);
    }

    #[test]
    fn each_defect_of_a_header_is_named() {
        assert_eq!(inspect(b"#!/bin/sh"), Err(ElfProblem::NotAnElf));
        assert_eq!(inspect(b"\x7fELF"), Err(ElfProblem::Truncated));
        assert_eq!(inspect(&elf(0, b"")[..50]), Err(ElfProblem::Truncated));
        let mut x86 = elf(0, b"code");
        x86[18] = 62;
        assert_eq!(inspect(&x86), Err(ElfProblem::WrongMachine(62)));
        let mut small = elf(0, b"code");
        small[4] = 1;
        assert_eq!(inspect(&small), Err(ElfProblem::WrongClass));
        let mut cut = elf(0, b"code");
        cut[60] = 3;
        assert_eq!(inspect(&cut), Err(ElfProblem::SectionsMissing { end: 192, len: 68 }));
        let big = elf(0, &vec![1; MAX_ELF]);
        assert_eq!(inspect(&big), Err(ElfProblem::TooLarge(MAX_ELF + 64)));
    }

    proptest! {
        #[test]
        fn padding_never_changes_the_hash(bytes in proptest::collection::vec(any::<u8>(), 0..200), zeros in 0usize..200) {
            let mut padded = bytes.clone();
            padded.extend(vec![0; zeros]);
            prop_assert_eq!(verify_hash(&bytes), verify_hash(&padded));
            prop_assert!(trimmed(&padded).last().is_none_or(|b| *b != 0));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut with_magic = b"\x7fELF\x02\x01".to_vec();
            with_magic.extend(&bytes);
            let _ = inspect(&with_magic);
            let _ = inspect(&bytes);
        }
    }
}
