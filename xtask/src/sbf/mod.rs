//! `cargo xtask build-sbf`: builds the ELFs whose sources changed, and prints the table. `official`
//! compiles with Solana's toolchain, `offline` with the one that `toolchain` sets up from `debian`
//! packages, `patch`es to std, and the sources in `tools/sbf`.

mod debian;
mod elf_facts;
mod official;
mod offline;
mod patch;
pub mod toolchain;

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context as _, Result};

use crate::{
    atomic_dir::{self, Lock},
    cli::BuildSbf,
    paths::Paths,
    program::Program,
    progress::Progress,
};
use elf_facts::ElfFacts;
use toolchain::Toolchain;

/// The command.
pub fn run(options: &BuildSbf) -> Result<ExitCode> {
    let progress = Progress::start();
    let paths = Paths::find()?;
    let toolchain = Toolchain::choose(&paths, options.toolchain)?;
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
    build(&paths, &toolchain, &programs, &progress)?;
    let folder = match &options.out {
        Some(out) => {
            atomic_dir::create(out)?;
            for program in &programs {
                let from = program.elf_path(&paths);
                atomic_dir::copy_file(&from, &out.join(program.name()).with_extension("so"))?;
            }
            fs::canonicalize(out).with_context(|| format!("cannot find {}", out.display()))?
        }
        None => paths.elf(),
    };
    print_table(&programs, &folder)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the ELFs in `programs` whose sources changed.
pub fn build(
    paths: &Paths,
    toolchain: &Toolchain,
    programs: &[Program],
    progress: &Progress,
) -> Result<()> {
    toolchain.set_up(progress)?;
    let key = toolchain.key()?;
    let _lock = Lock::take(&paths.elf(), progress)?;
    for program in programs {
        let target = program.elf_path(paths);
        let stamp = target.with_extension("key");
        let wanted = program.key(paths, &key)?;
        let current = fs::read_to_string(&stamp).is_ok_and(|found| found.trim() == wanted);
        if current && target.exists() {
            continue;
        }
        progress.say(&format!("building {}.so with {}", program.name(), toolchain.name()));
        let built = toolchain.compile(*program)?;
        ElfFacts::read(&built)?;
        // Removes the key first and writes it last, so that a half-replaced pair never looks
        // current.
        match fs::remove_file(&stamp) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", stamp.display()));
            }
            _ => {}
        }
        atomic_dir::copy_file(&built, &target)?;
        fs::write(&stamp, &wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    }
    Ok(())
}

/// Whether every one of `programs` is built from the present sources, so that no toolchain is needed.
pub fn are_current(paths: &Paths, toolchain: &Toolchain, programs: &[Program]) -> bool {
    let Ok(key) = toolchain.key() else { return false };
    toolchain.is_set_up()
        && programs.iter().all(|program| {
            let target = program.elf_path(paths);
            let found = fs::read_to_string(target.with_extension("key")).unwrap_or_default();
            target.exists() && program.key(paths, &key).is_ok_and(|wanted| found.trim() == wanted)
        })
}

fn print_table(programs: &[Program], folder: &Path) -> Result<()> {
    println!("{:<16} {:>9}  sBPF  {:<64}  path", "program", "bytes", "solana-verify hash");
    for program in programs {
        let path = folder.join(program.name()).with_extension("so");
        let ElfFacts { size, version, hash } = ElfFacts::read(&path)?;
        println!("{:<16} {size:>9}  v{version:<3}  {hash}  {}", program.name(), path.display());
    }
    Ok(())
}
