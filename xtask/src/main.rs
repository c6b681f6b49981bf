//! `cargo xtask`: builds the ELFs, sets up what is missing, runs the sandbox, every test and benches.
//! May not know what the product does: it starts cargo, compilers and the product's own binaries.

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
