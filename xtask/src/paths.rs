//! Paths of everything a command reads or writes: the checkout, and the folders under the user's cache directory.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// The paths a command works with, all absolute.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The checkout.
    pub root: PathBuf,
    cache: PathBuf,
}

impl Paths {
    /// Reads them from the environment.
    pub fn find() -> Result<Self> {
        // Cargo sets the crate's present path at run time. The path from compile time is for a
        // binary that is started by hand.
        let crate_folder = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = crate_folder.parent().context("xtask has no folder above it")?.to_path_buf();
        let base = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .context("neither XDG_CACHE_HOME nor HOME is set to a folder: set one of them")?;
        Ok(Self { root, cache: base.join("program-upgrade-control-room") })
    }

    /// Folder of the ELFs.
    pub fn elf(&self) -> PathBuf {
        self.cache.join("elf")
    }

    /// The offline toolchain.
    pub fn toolchain(&self) -> PathBuf {
        self.cache.join("sbf-toolchain")
    }

    /// Build folders of the ELFs and of the linker driver.
    pub fn sbf_target(&self) -> PathBuf {
        self.cache.join("sbf-target")
    }

    /// Build folder of the tests on a bank, whose crates are built with other switches than the
    /// workspace's.
    pub fn bank_target(&self) -> PathBuf {
        self.cache.join("bank-target")
    }

    /// Build folder of the interface descriptions.
    pub fn idl_target(&self) -> PathBuf {
        self.cache.join("idl-target")
    }

    /// Cargo's target folder for the workspace: the user's choice, else one in the cache directory.
    pub fn target(&self) -> PathBuf {
        match env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty()) {
            Some(chosen) => self.root.join(chosen),
            None => self.cache.join("target"),
        }
    }

    /// A file of the offline toolchain's sources.
    pub fn sbf_source(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join("tools/sbf").join(path)
    }
}

fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}
