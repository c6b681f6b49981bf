//! The list of ELFs: the crate and features of each, its path, and the key that tells whether it
//! must be built again. `sbf` compiles them.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;

use crate::{fingerprint::Fingerprint, paths::Paths};

/// An ELF that `cargo xtask build-sbf` builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Program {
    /// The manager itself
    UpgradeManager,
    /// The manager with a switch that turns one control off: for `cargo xtask mutants` alone
    #[value(name = "upgrade_manager_mutants")]
    ManagerMutants,
    /// The demo target in its first layout
    #[value(name = "demo_vault_v1")]
    DemoVaultV1,
    /// The demo target in its second layout
    #[value(name = "demo_vault_v2")]
    DemoVaultV2,
    /// A target program that misbehaves, for the manager's tests
    HostileTarget,
    /// The toolchain's test program
    ElfSelftest,
    /// The published Squads v4 program, whose vaults govern upgrades in tests
    #[value(name = "squads_v4")]
    Squads,
}

impl Program {
    /// The programs of the product.
    pub const PRODUCT: [Self; 3] = [Self::UpgradeManager, Self::DemoVaultV1, Self::DemoVaultV2];
    /// The programs that only tests run.
    pub const TEST: [Self; 3] = [Self::HostileTarget, Self::ElfSelftest, Self::Squads];

    /// The name of the ELF, without `.so`.
    pub fn name(self) -> &'static str {
        match self {
            Self::UpgradeManager => "upgrade_manager",
            Self::ManagerMutants => "upgrade_manager_mutants",
            Self::DemoVaultV1 => "demo_vault_v1",
            Self::DemoVaultV2 => "demo_vault_v2",
            Self::HostileTarget => "hostile_target",
            Self::ElfSelftest => "elf_selftest",
            Self::Squads => "squads_v4",
        }
    }

    /// The folder of the crate, from the checkout.
    fn crate_folder(self) -> &'static str {
        match self {
            Self::UpgradeManager | Self::ManagerMutants => "programs/upgrade-manager",
            Self::DemoVaultV1 | Self::DemoVaultV2 => "programs/demo-vault",
            Self::HostileTarget => "programs/hostile-target",
            Self::ElfSelftest => "tools/sbf/elf-selftest",
            Self::Squads => "tools/sbf/squads-elf",
        }
    }

    /// The name of the crate's library, which its ELF is named after.
    pub fn library(self) -> &'static str {
        match self {
            Self::UpgradeManager | Self::ManagerMutants => "upgrade_manager",
            Self::DemoVaultV1 | Self::DemoVaultV2 => "demo_vault",
            Self::HostileTarget => "hostile_target",
            Self::ElfSelftest => "elf_selftest",
            Self::Squads => "squads_elf",
        }
    }

    /// Whether its crate has a lock of its own, and so nothing of the workspace in it.
    fn stands_alone(self) -> bool {
        matches!(self, Self::ElfSelftest | Self::Squads)
    }

    /// The cargo features it is built with.
    pub fn features(self) -> &'static [&'static str] {
        match self {
            Self::DemoVaultV2 => &["v2"],
            Self::ManagerMutants => &["mutants"],
            _ => &[],
        }
    }

    /// The crate's `Cargo.toml`.
    pub fn manifest(self, paths: &Paths) -> PathBuf {
        paths.root.join(self.crate_folder()).join("Cargo.toml")
    }

    /// Where the ELF is, once it is built.
    pub fn elf_path(self, paths: &Paths) -> PathBuf {
        paths.elf().join(self.name()).with_extension("so")
    }

    /// The key of everything the ELF is made from. `toolchain` is the toolchain's own key.
    pub fn key(self, paths: &Paths, toolchain: &str) -> Result<String> {
        const NOT_IN_THE_ELF: [&str; 4] = ["target", "tests", "benches", "examples"];
        let start = Fingerprint::default()
            .text(self.name())
            .text(&self.features().join(" "))
            .text(toolchain);
        if self.stands_alone() {
            let folder = paths.root.join(self.crate_folder());
            return Ok(start.dir(&folder, &NOT_IN_THE_ELF)?.key());
        }
        let print = start
            .dir(&paths.root.join("programs"), &NOT_IN_THE_ELF)?
            .file(&paths.root.join("Cargo.toml"))?
            .file(&paths.root.join("Cargo.lock"))?;
        Ok(print.key())
    }
}
