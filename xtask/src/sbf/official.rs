//! Compiling for sBPF with Solana's own toolchain, `cargo build-sbf`.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, bail};

use crate::{
    atomic_dir,
    command::{isolate, quietly, text},
    paths::Paths,
    program::Program,
};

/// What the toolchain says about itself.
pub fn version() -> Result<String> {
    text(cargo_build_sbf().arg("--version"), "asking cargo build-sbf for its version")
}

/// Compiles `program`; the ELF.
pub fn compile(paths: &Paths, program: Program) -> Result<PathBuf> {
    // One folder for each program, because the two layouts of the demo vault have the same file
    // name.
    let out = paths.sbf_target().join("solana-out").join(program.name());
    atomic_dir::remove(&out)?;
    atomic_dir::create(&out)?;
    let mut command = cargo_build_sbf();
    command
        .arg("--manifest-path")
        .arg(program.manifest(paths))
        .arg("--sbf-out-dir")
        .arg(&out)
        .env("CARGO_TARGET_DIR", paths.sbf_target().join("solana"))
        .current_dir(&paths.root);
    for feature in program.features() {
        command.args(["--features", feature]);
    }
    command.args(["--", "--locked"]);
    quietly(&mut command, &format!("compiling {}", program.name()))?;
    let elf = out.join(program.library()).with_extension("so");
    if !elf.exists() {
        bail!("cargo build-sbf left no {}: is the crate a cdylib?", elf.display());
    }
    Ok(elf)
}

fn cargo_build_sbf() -> Command {
    let mut command = Command::new("cargo-build-sbf");
    isolate(&mut command);
    command
}
