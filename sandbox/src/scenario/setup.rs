//! What a caller may choose about the chain and what is put on it.
use std::path::PathBuf;

use crate::{chain::local_chain::ChainConfig, scenario::elf_paths::ElfPaths};

/// The choices of one run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The ELFs.
    pub elfs: ElfPaths,
    /// Folder of key files and archive.
    pub data_dir: PathBuf,
    /// Vaults to create.
    pub vaults: u32,
    /// Whether there shall be no multisig and no proposal.
    pub bare: bool,
    /// Micro-lamports per compute unit that every transaction pays on top of the base fee.
    pub unit_price: u64,
    /// The chain, as it shall be once it is seeded.
    pub chain: ChainConfig,
}
