//! The bytes of the model's builds. Builds of one layout differ in bytes after the ELF's end, which
//! the loader ignores and every hash covers.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use super::op::Code;
use crate::elf;

/// Bytes that one transaction can hash.
const MAX_ONE_TX_HASH_LEN: usize = 2 * 1024 * 1024;

/// Room that a program needs for every build but the large ones.
pub fn room() -> usize {
    elf::v1().len().max(elf::v2().len()) + 64
}

/// Room for a large build.
pub fn large_room() -> usize {
    MAX_ONE_TX_HASH_LEN + 8 * 1024
}

impl Code {
    pub fn bytes(self) -> Arc<Vec<u8>> {
        static MADE: OnceLock<Mutex<HashMap<Code, Arc<Vec<u8>>>>> = OnceLock::new();
        let made = MADE.get_or_init(Mutex::default);
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(self).or_insert_with(|| Arc::new(self.make())).clone()
    }

    fn make(self) -> Vec<u8> {
        let salted = |elf: &[u8], salt: u8| {
            let salt = (salt > 0).then_some(salt);
            elf.iter().copied().chain(salt).collect()
        };
        match self {
            Self::First(salt) => salted(elf::v1(), salt),
            Self::Second(salt) => salted(elf::v2(), salt),
            Self::Large(salt) => {
                let mut bytes = elf::v2().to_vec();
                bytes.resize(MAX_ONE_TX_HASH_LEN + 4 * 1024, 0xa5);
                bytes.push(salt + 1);
                bytes
            }
            Self::Cut => elf::v1()[..elf::v1().len() / 2].iter().copied().chain([1]).collect(),
            Self::Junk => vec![0x55; 4096],
        }
    }

    /// Length without the zeros at the end.
    pub fn trimmed_len(self) -> u32 {
        let bytes = self.bytes();
        let len = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
        u32::try_from(len).expect("an ELF")
    }
}
