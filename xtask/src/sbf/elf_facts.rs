//! What a deployment shows of an ELF: its size, its sBPF version, and the hash that `solana-verify`
//! prints for it.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

/// The entrypoint's name among the symbols.
const ENTRYPOINT: &[u8] = b"\0entrypoint\0";

/// ElfFacts about one ELF.
#[derive(Debug, PartialEq, Eq)]
pub struct ElfFacts {
    /// File size in bytes.
    pub size: usize,
    /// sBPF version, from the ELF header's `e_flags`.
    pub version: u32,
    /// SHA-256 without trailing zero bytes, in hexadecimal.
    pub hash: String,
}

impl ElfFacts {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::of(&bytes).with_context(|| format!("{} cannot be deployed", path.display()))
    }

    fn of(elf: &[u8]) -> Result<Self> {
        if !elf.starts_with(b"\x7fELF\x02\x01") {
            bail!("it is not a 64-bit little-endian ELF");
        }
        // A crate that others depend on may have been linked without its entrypoint.
        if !elf.windows(ENTRYPOINT.len()).any(|name| name == ENTRYPOINT) {
            bail!("it has no entrypoint: is the feature `no-entrypoint` on?");
        }
        let Some(flags) = elf.get(48..52).and_then(|flags| flags.try_into().ok()) else {
            bail!("its header is cut off");
        };
        let version = u32::from_le_bytes(flags);
        Ok(Self { size: elf.len(), version, hash: verify_hash(elf) })
    }
}

/// The hash of a program's bytes as `solana-verify` computes it: the loader pads an account with
/// zeros, so trailing ones do not count.
fn verify_hash(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    hex::encode(Sha256::digest(bytes.get(..end).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_zeros_do_not_count() {
        // SHA-256 of "abc" and of nothing, from FIPS 180-4.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(verify_hash(b"abc"), abc);
        assert_eq!(verify_hash(b"abc\0\0\0"), abc);
        assert_ne!(verify_hash(b"a\0bc"), abc);
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(verify_hash(&[0; 9]), nothing);
    }

    #[test]
    fn the_version_comes_from_the_header() {
        let mut elf = vec![0; 64];
        elf.splice(..6, *b"\x7fELF\x02\x01");
        elf.extend(ENTRYPOINT);
        assert_eq!(ElfFacts::of(&elf).unwrap().version, 0);
        elf.splice(48..52, [3, 0, 0, 0]);
        assert_eq!(ElfFacts::of(&elf).unwrap().version, 3);
        assert_eq!(ElfFacts::of(&elf).unwrap().size, 64 + ENTRYPOINT.len());
    }

    #[test]
    fn other_files_are_refused() {
        let nothing_to_start = [&b"\x7fELF\x02\x01"[..], &[0; 90]].concat();
        for bytes in [&b"#!/bin/sh"[..], b"\x7fELF\x02\x01", b"", &nothing_to_start] {
            assert!(ElfFacts::of(bytes).is_err());
        }
    }
}
