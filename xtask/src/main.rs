//! `cargo xtask`: builds the ELFs, sets up what is missing, runs the sandbox, every test and benches.
//!
//! | module | does |
//! |---|---|
//! | `cli` | the command line; each command is a module below with a `run` |
//! | `sbf`, `program` | `build-sbf`: the toolchains; which ELFs there are and when one is built again |
//! | `idl` | `idl`: the interface descriptions |
//! | `sandbox` | `sandbox`: builds everything, then becomes the control room |
//! | `test` | `test`: every check and test, with a throwaway Postgres and a fixed seed |
//! | `mutants` | `mutants`: switches off one control of the manager after the other |
//! | `bench` | `bench`: compiles and starts the benches |
//! | `paths`, `atomic_dir`, `fingerprint`, `command`, `progress`, `system` | helpers of the commands |
//!
//! May not depend on a crate of the workspace: it starts cargo, compilers and the product's own binaries.

mod atomic_dir;
mod bench;
mod cli;
mod command;
mod fingerprint;
mod idl;
mod mutants;
mod paths;
mod program;
mod progress;
mod sandbox;
mod sbf;
mod system;
mod test;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let outcome = match cli::Cli::parse().task {
        cli::Task::BuildSbf(options) => sbf::run(&options),
        cli::Task::Idl(options) => idl::run(&options),
        cli::Task::Sandbox(options) => sandbox::run(&options),
        cli::Task::Test(options) => test::run(&options),
        cli::Task::Mutants(options) => mutants::run(&options),
        cli::Task::Bench(options) => bench::run(&options),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
