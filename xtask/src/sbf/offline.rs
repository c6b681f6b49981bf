//! Compiling for sBPF with the offline toolchain: which flags, which environment, which file comes
//! out. rustc writes bitcode, std is compiled along, and the linker driver makes the ELF.
//!
//! # Size against compute units
//!
//! The manager as of commit d09ac92 in bytes; units of the first and the fifth `approve` of five
//! members, of `execute_upgrade`, and of the manager's part of `migrate_accounts` an account
//! (`cargo test -p e2e --test program units -- --nocapture`). The bounds are 460,800 bytes, 10,000,
//! 300,000 and 12,000 units.
//!
//! | settings | bytes | `approve` | execute | migrate |
//! |---|---|---|---|---|
//! | opt-level 3 | 1,303,536 | 9,068 … 9,750 | 171,589 | 9,492 |
//! | opt-level s | 896,544 | 10,222 … 11,036 | 186,201 | 10,181 |
//! | opt-level z | 603,280 | 17,554 … 18,950 | 197,895 | 12,530 |
//! | 3, copies over 32 bytes called | 1,197,696 | 8,695 … 9,377 | 171,166 | 9,426 |
//! | 3, so, allocator called | 912,648 | 8,842 … 9,533 | 171,579 | 9,495 |
//! | 3, copies called, inlining 60 | 834,576 | 9,988 … 10,832 | 174,508 | 9,728 |
//! | 3, copies called, inlining 25 | 715,120 | 10,366 … 11,210 | 175,041 | 9,751 |
//! | 3, copies and allocator called, inlining 25 | 627,736 | 10,933 … 11,865 | 175,988 | 9,828 |
//! | 3, so, equal functions merged, regions outlined | 577,168 | 11,400 … 12,339 | 177,196 | 10,061 |
//!
//! The manager whose accounts are read by hand, with all instructions; copies and allocator called,
//! equal functions merged, opt-level s (the last line some commits later, at 57783d7):
//!
//! | inlining | bytes | `approve` | execute | migrate |
//! |---|---|---|---|---|
//! | 225 | 796,880 | 9,179 … 9,832 | 116,413 | 10,007 |
//! | 60 | 557,680 | 10,369 … 11,119 | 118,030 | 10,280 |
//! | 25 | 509,728 | 11,073 … 11,918 | 117,630 | 9,198 |
//!
//! The same after the code that Anchor and the SDK repeat for each error, account, event and kind of proposal
//! was shared, and the manager got an allocator of its own:
//!
//! | inlining | bytes | `approve` | execute | migrate |
//! |---|---|---|---|---|
//! | 25 | 438,960 | 9,761 … 10,602 | 112,302 | 8,794 |
//! | 40 | 445,080 | 8,946 … 9,692 | 111,330 | 8,801 |
//! | 45 | 450,200 | 8,934 … 9,679 | 111,306 | 8,669 |
//!
//! Code was 97 % of that ELF. Symbols, debug sections and unwinding tables are already left out, and so are
//! panic messages and their source locations (`immediate-abort`). So the settings reduce the code itself:
//! opt-level s for the manager (root `Cargo.toml`) and an allocator that is called and not inlined, both for
//! Solana's toolchain as well; here, an inlining threshold of [`INLINE_THRESHOLD`], and in the linker driver
//! copies that are called and equal functions that are merged. LLVM's outliner would save another 8 %; it is
//! young, and LLVM's own normal builds do not use it, so it is not used here.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    atomic_dir,
    command::{isolate, text},
    paths::Paths,
    program::Program,
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

/// How large a function may be, in LLVM's measure, to be copied to where it is called. LLVM's own
/// values are 225 or 250 at opt-level 2 and 3, 50 at s and 5 at z.
pub const INLINE_THRESHOLD: u32 = 40;

/// Compiles `program` with the toolchain of `key`; the ELF.
pub fn compile(paths: &Paths, program: Program, key: &str) -> Result<PathBuf> {
    // Cargo notices neither a changed linker nor older std files, and would reuse what another
    // toolchain built.
    let target = paths.sbf_target().join("programs");
    if !atomic_dir::is_current(&target, key) {
        atomic_dir::replace(&target, key, |_| Ok(()))?;
    }
    let mut cargo = cargo(paths, "programs", &link_flags(paths));
    cargo.args(["build", "--lib", "-Zbuild-std=std,panic_abort"]);
    common_options(&mut cargo, paths);
    cargo.arg("--manifest-path").arg(program.manifest(paths));
    cargo.args(["--features", &program.features().join(",")]);
    // Cargo reads `.cargo/config.toml` from this folder upwards: the workspace's, not the operator's.
    cargo.current_dir(&paths.root);
    let messages = text(&mut cargo, &format!("compiling {}", program.name()))?;
    artifact(&messages, program.library(), ".so")
        .with_context(|| format!("the crate of {} has no cdylib", program.name()))
}

/// Compiles the run-time helpers; their library.
pub fn compile_builtins(paths: &Paths) -> Result<PathBuf> {
    atomic_dir::remove(&paths.sbf_target().join("builtins"))?;
    let mut cargo = cargo(paths, "builtins", &[]);
    cargo.args(["build", "--package", "sbf-builtins", "-Zbuild-std=core,compiler_builtins"]);
    common_options(&mut cargo, paths);
    cargo.current_dir(paths.sbf_source("sbf-ld"));
    let messages = text(&mut cargo, "compiling the run-time helpers")?;
    artifact(&messages, "sbf_builtins", ".rlib").context("the run-time helpers have no library")
}

/// Flags that only a build with a link at its end has.
fn link_flags(paths: &Paths) -> Vec<String> {
    let toolchain = paths.toolchain();
    let builtins = toolchain.join("builtins/libsbf_builtins.rlib");
    vec![
        format!("-Clinker={}", toolchain.join("ld/sbf-link").display()),
        format!("-Clink-arg={ARCH}"),
        format!("-Cllvm-args=--inline-threshold={INLINE_THRESHOLD}"),
        format!("-Clink-arg=--inline-threshold={INLINE_THRESHOLD}"),
        format!("-Clink-arg=--builtins={}", builtins.display()),
        // Panic messages name files. The paths are remapped, so that the ELF does not depend on
        // this machine.
        format!("--remap-path-prefix={}=.", paths.root.display()),
    ]
}

/// The unpacked cargo with the unpacked rustc, free of the operator's settings.
fn cargo(paths: &Paths, target: &str, flags: &[String]) -> Command {
    let bin = paths.toolchain().join("rust/bin");
    let mut command = Command::new(bin.join("cargo"));
    isolate(&mut command);
    let flags: Vec<&str> = FLAGS.into_iter().chain(flags.iter().map(String::as_str)).collect();
    command
        .env("RUSTC", bin.join("rustc"))
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC_BOOTSTRAP_SYNTHETIC_TARGET", "1")
        // The separator is a character that no path contains.
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_TARGET_DIR", paths.sbf_target().join(target));
    command
}

fn common_options(cargo: &mut Command, paths: &Paths) {
    cargo
        .args(["--release", "--locked", "-Zjson-target-spec", "--target"])
        .arg(paths.sbf_source("sbf-solana.json"))
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
