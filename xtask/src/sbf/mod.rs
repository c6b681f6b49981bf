//! `cargo xtask build-sbf`: which ELFs there are, when one has to be built again, and the table.
//! How they are compiled: `official` with Solana's toolchain, `offline` with our own, which
//! `toolchain` sets up from `debian` packages, `patch`es to std, and the linker driver in `sbf-ld/`.

mod debian;
mod official;
mod offline;
mod patch;
pub mod toolchain;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::{
    cli::{BuildSbf, Choice},
    elf::Facts,
    fingerprint::Fingerprint,
    folder::{self, Lock},
    places::Places,
    progress::Progress,
};
use toolchain::Toolchain;

/// An ELF that this command builds.
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
    /// The target that the manager's tests expect the worst of
    HostileTarget,
    /// The toolchain's test program
    ElfSelftest,
    /// The published Squads v4 program, which tests govern upgrades with
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
            Self::ElfSelftest => "xtask/elf-selftest",
            Self::Squads => "xtask/squads-elf",
        }
    }

    /// The name of the crate's library, which its ELF is named after.
    fn library(self) -> &'static str {
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
    fn features(self) -> &'static [&'static str] {
        match self {
            Self::DemoVaultV2 => &["v2"],
            Self::ManagerMutants => &["mutants"],
            _ => &[],
        }
    }

    fn manifest(self, places: &Places) -> PathBuf {
        places.root.join(self.crate_folder()).join("Cargo.toml")
    }

    /// The key of everything the ELF is made from.
    fn key(self, places: &Places, toolchain: &str) -> Result<String> {
        const NOT_IN_THE_ELF: [&str; 4] = ["target", "tests", "benches", "examples"];
        let start = Fingerprint::default()
            .text(self.name())
            .text(&self.features().join(" "))
            .text(toolchain);
        if self.stands_alone() {
            let folder = places.root.join(self.crate_folder());
            return Ok(start.folder(&folder, &NOT_IN_THE_ELF)?.key());
        }
        let print = start
            .folder(&places.root.join("programs"), &NOT_IN_THE_ELF)?
            .file(&places.root.join("Cargo.toml"))?
            .file(&places.root.join("Cargo.lock"))?;
        Ok(print.key())
    }
}

/// Where the ELF of `program` is, once it is built.
pub fn path(places: &Places, program: Program) -> PathBuf {
    places.elf().join(program.name()).with_extension("so")
}

/// The command.
pub fn run(options: &BuildSbf) -> Result<ExitCode> {
    let progress = Progress::start();
    let places = Places::find()?;
    let toolchain = Toolchain::choose(&places, options.toolchain)?;
    if options.setup {
        toolchain.set_up(&progress)?;
        print!("{}", toolchain.description()?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut programs = options.programs.clone();
    if programs.is_empty() {
        programs.extend(Program::PRODUCT);
    }
    if options.selftest && !programs.contains(&Program::ElfSelftest) {
        programs.push(Program::ElfSelftest);
    }
    build(&places, &toolchain, &programs, &progress)?;
    let folder = match &options.out {
        Some(out) => {
            folder::create(out)?;
            for program in &programs {
                let from = path(&places, *program);
                folder::copy_file(&from, &out.join(program.name()).with_extension("so"))?;
            }
            fs::canonicalize(out).with_context(|| format!("cannot find {}", out.display()))?
        }
        None => places.elf(),
    };
    print_table(&programs, &folder)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the ELFs in `programs` whose sources changed.
pub fn build(
    places: &Places,
    toolchain: &Toolchain,
    programs: &[Program],
    progress: &Progress,
) -> Result<()> {
    toolchain.set_up(progress)?;
    let key = toolchain.key()?;
    let _lock = Lock::take(&places.elf(), progress)?;
    for program in programs {
        let target = path(places, *program);
        let stamp = target.with_extension("key");
        let wanted = program.key(places, &key)?;
        let current = fs::read_to_string(&stamp).is_ok_and(|found| found.trim() == wanted);
        if current && target.exists() {
            continue;
        }
        progress.say(&format!("building {}.so with {}", program.name(), toolchain.name()));
        let built = toolchain.compile(*program)?;
        Facts::read(&built)?;
        // The key goes first and comes last: a half-replaced pair never looks current.
        match fs::remove_file(&stamp) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", stamp.display()));
            }
            _ => {}
        }
        folder::copy_file(&built, &target)?;
        fs::write(&stamp, &wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    }
    Ok(())
}

/// Whether every one of `programs` is built from the present sources, so that no toolchain is needed.
pub fn are_current(places: &Places, toolchain: &Toolchain, programs: &[Program]) -> bool {
    let Ok(key) = toolchain.key() else { return false };
    toolchain.is_set_up()
        && programs.iter().all(|program| {
            let target = path(places, *program);
            let found = fs::read_to_string(target.with_extension("key")).unwrap_or_default();
            target.exists() && program.key(places, &key).is_ok_and(|wanted| found.trim() == wanted)
        })
}

fn print_table(programs: &[Program], folder: &Path) -> Result<()> {
    println!("{:<16} {:>9}  sBPF  {:<64}  path", "program", "bytes", "solana-verify hash");
    for program in programs {
        let path = folder.join(program.name()).with_extension("so");
        let Facts { size, version, hash } = Facts::read(&path)?;
        println!("{:<16} {size:>9}  v{version:<3}  {hash}  {}", program.name(), path.display());
    }
    Ok(())
}

/// The choice that every command but `build-sbf` makes.
pub const DEFAULT: Choice = Choice::Auto;
