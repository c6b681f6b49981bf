//! Options for the chain and for its content.
use std::path::PathBuf;

use crate::{chain::local_chain::ChainConfig, scenario::elf_paths::ElfPaths};

/// The options of one run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The ELFs.
    pub elfs: ElfPaths,
    /// Folder of key files and archive.
    pub data_dir: PathBuf,
    /// Vaults to create.
    pub vaults: u32,
    /// Whether to leave out the multisig and the proposal.
    pub bare: bool,
    /// Micro-lamports per compute unit that every transaction pays on top of the base fee.
    pub unit_price: u64,
    /// The chain's settings after seeding.
    pub chain: ChainConfig,
}
