//! Compiling for sBPF with Solana's own toolchain, `cargo build-sbf`.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, bail};

use super::Program;
use crate::{
    command::{isolate, quietly, text},
    folder,
    places::Places,
};

/// What the toolchain says about itself.
pub fn version() -> Result<String> {
    text(cargo_build_sbf().arg("--version"), "asking cargo build-sbf for its version")
}

/// Compiles `program`; the ELF.
pub fn compile(places: &Places, program: Program) -> Result<PathBuf> {
    // A folder for each: the two layouts of one crate have the same file name.
    let out = places.sbf_target().join("solana-out").join(program.name());
    folder::remove(&out)?;
    folder::create(&out)?;
    let mut command = cargo_build_sbf();
    command
        .arg("--manifest-path")
        .arg(program.manifest(places))
        .arg("--sbf-out-dir")
        .arg(&out)
        .env("CARGO_TARGET_DIR", places.sbf_target().join("solana"))
        .current_dir(&places.root);
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
