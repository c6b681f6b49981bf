//! Compiling for sBPF with the offline toolchain: which flags, which environment, which file comes
//! out. rustc writes bitcode, std is compiled along, and the linker driver makes the ELF.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Program;
use crate::{
    command::{isolate, text},
    folder,
    places::Places,
};

/// Flags of every compilation.
///
/// The target calls itself `zkvm`, for which std compiles, and gets Solana's name by `--cfg`. std also
/// wants an architecture whose alignment it knows: `csky` has no other effect. A panic has nothing to
/// unwind or to print to. sBPF has one thread, so atomics are lowered to plain loads and stores.
pub const FLAGS: [&str; 9] = [
    "-Zunstable-options",
    "-Cpanic=immediate-abort",
    "-Crelocation-model=static",
    "-Cpasses=lower-atomic",
    "--cfg",
    "target_os=\"solana\"",
    "--cfg",
    "target_arch=\"csky\"",
    "-Aexplicit_builtin_cfgs_in_flags",
];

/// The sBPF version of the ELFs: the one that every cluster and test chain of today runs.
const ARCH: &str = "--arch=v0";

/// Compiles `program` with the toolchain of `key`; the ELF.
pub fn compile(places: &Places, program: Program, key: &str) -> Result<PathBuf> {
    // Cargo does not look at the linker, nor at std's files where they became older: what another
    // toolchain left behind would pass for new.
    let target = places.sbf_target().join("programs");
    if !folder::is_current(&target, key) {
        folder::replace(&target, key, |_| Ok(()))?;
    }
    let mut cargo = cargo(places, "programs", &link_flags(places));
    cargo.args(["build", "--lib", "-Zbuild-std=std,panic_abort"]);
    common_options(&mut cargo, places);
    cargo.arg("--manifest-path").arg(program.manifest(places));
    cargo.args(["--features", &program.features().join(",")]);
    // Cargo looks for settings from here on upwards: the workspace's own, not the operator's folder's.
    cargo.current_dir(&places.root);
    let messages = text(&mut cargo, &format!("compiling {}", program.name()))?;
    artifact(&messages, program.library(), ".so")
        .with_context(|| format!("the crate of {} has no cdylib", program.name()))
}

/// Compiles the run-time helpers; their library.
pub fn compile_builtins(places: &Places) -> Result<PathBuf> {
    folder::remove(&places.sbf_target().join("builtins"))?;
    let mut cargo = cargo(places, "builtins", &[]);
    cargo.args(["build", "--package", "sbf-builtins", "-Zbuild-std=core,compiler_builtins"]);
    common_options(&mut cargo, places);
    cargo.current_dir(places.data("sbf-ld"));
    let messages = text(&mut cargo, "compiling the run-time helpers")?;
    artifact(&messages, "sbf_builtins", ".rlib").context("the run-time helpers have no library")
}

/// Flags that only a build with a link at its end has.
fn link_flags(places: &Places) -> Vec<String> {
    let toolchain = places.toolchain();
    let builtins = toolchain.join("builtins/libsbf_builtins.rlib");
    vec![
        format!("-Clinker={}", toolchain.join("ld/sbf-link").display()),
        format!("-Clink-arg={ARCH}"),
        format!("-Clink-arg=--builtins={}", builtins.display()),
        // Panic messages name files: without this machine's folders, and the same everywhere.
        format!("--remap-path-prefix={}=.", places.root.display()),
    ]
}

/// The unpacked cargo with the unpacked rustc, free of the operator's settings.
fn cargo(places: &Places, target: &str, flags: &[String]) -> Command {
    let bin = places.toolchain().join("rust/bin");
    let mut command = Command::new(bin.join("cargo"));
    isolate(&mut command);
    let flags: Vec<&str> = FLAGS.into_iter().chain(flags.iter().map(String::as_str)).collect();
    command
        .env("RUSTC", bin.join("rustc"))
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC_BOOTSTRAP_SYNTHETIC_TARGET", "1")
        // Separated by a character that no path holds.
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_TARGET_DIR", places.sbf_target().join(target));
    command
}

fn common_options(cargo: &mut Command, places: &Places) {
    cargo
        .args(["--release", "--locked", "-Zjson-target-spec", "--target"])
        .arg(places.data("sbf/sbf-solana.json"))
        .arg("--message-format=json-render-diagnostics");
}

/// The file with `ending` among what cargo says it made of the library `name`.
fn artifact(messages: &str, name: &str, ending: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| {
            let is = |pointer: &str, wanted: &str| {
                message.pointer(pointer).and_then(Value::as_str) == Some(wanted)
            };
            is("/reason", "compiler-artifact") && is("/target/name", name)
        })
        .filter_map(|message| message.get("filenames")?.as_array().cloned())
        .flatten()
        .filter_map(|file| file.as_str().map(|file| Path::new(file).to_path_buf()))
        .find(|file| file.to_string_lossy().ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_elf_among_cargos_messages() {
        let messages = "warning: not json\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"other\"},\"filenames\":[\"/o.so\"]}\n\
            {\"reason\":\"build-finished\"}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"demo\"},\
             \"filenames\":[\"/libdemo.rlib\",\"/demo.so\"]}\n";
        assert_eq!(artifact(messages, "demo", ".so"), Some(PathBuf::from("/demo.so")));
        assert_eq!(artifact(messages, "demo", ".exe"), None);
    }
}
