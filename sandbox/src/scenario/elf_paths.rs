//! The three ELFs the sandbox deploys, read from the folder that `cargo xtask build-sbf` fills.
//! Does not check their content: the backend and the loader do.
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The manager.
pub const MANAGER: &str = "upgrade_manager.so";
/// The demo vault in its first layout.
pub const VAULT_V1: &str = "demo_vault_v1.so";
/// The demo vault in its second layout.
pub const VAULT_V2: &str = "demo_vault_v2.so";

/// Where each ELF is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElfPaths {
    /// The manager.
    pub manager: PathBuf,
    /// The program before the upgrade.
    pub vault_v1: PathBuf,
    /// The program after the upgrade.
    pub vault_v2: PathBuf,
}

impl ElfPaths {
    /// The ELFs in `dir`.
    ///
    /// # Errors
    /// An ELF is missing; the error says how to build it.
    pub fn find(dir: &Path) -> Result<Self> {
        let file = |name: &str| {
            let path = dir.join(name);
            if !path.is_file() {
                bail!(
                    "The ELF {name} is not in {}: run `cargo xtask build-sbf`, or name the folder \
                     with --elf-dir.",
                    dir.display()
                );
            }
            Ok(path)
        };
        Ok(Self { manager: file(MANAGER)?, vault_v1: file(VAULT_V1)?, vault_v2: file(VAULT_V2)? })
    }

    /// The folder that `cargo xtask build-sbf` fills: under the user's cache directory.
    ///
    /// # Errors
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set.
    pub fn default_dir() -> Result<PathBuf> {
        let cache = std::env::var_os("XDG_CACHE_HOME").filter(|v| !v.is_empty());
        let base = match cache {
            Some(cache) => PathBuf::from(cache),
            None => PathBuf::from(std::env::var_os("HOME").context(
                "Neither XDG_CACHE_HOME nor HOME is set: name the ELFs' folder with --elf-dir.",
            )?)
            .join(".cache"),
        };
        Ok(base.join("program-upgrade-control-room").join("elf"))
    }
}

/// Size of `path` as people read it.
#[must_use]
pub fn kib(path: &Path) -> String {
    match std::fs::metadata(path) {
        Ok(meta) => format!("{} KiB", meta.len().div_ceil(1024)),
        Err(_) => "unreadable".into(),
    }
}
