//! `cargo xtask bench`: builds the programs and runs the packages in `benches/`, which define
//! figures and bounds.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::{
    cli::{Bench, Subject, ToolchainChoice},
    command,
    paths::Paths,
    program::Program,
    progress::Progress,
    sbf::{self, toolchain::Toolchain},
    system,
    test::postgres::{self, Postgres},
};

/// The command.
pub fn run(options: &Bench) -> Result<ExitCode> {
    let progress = Progress::start();
    let paths = Paths::find()?;
    match options.subject {
        Subject::Program => program(options, &paths, &progress),
        Subject::Indexer => indexer(options, &paths, &progress),
    }
}

/// The figures of the program. The exit code is the bench's: 1 when a bound is broken.
fn program(options: &Bench, paths: &Paths, progress: &Progress) -> Result<ExitCode> {
    system::ensure(&system::COMPILING, progress)?;
    let toolchain = Toolchain::choose(paths, ToolchainChoice::Auto)?;
    let programs = [&Program::PRODUCT[..], &[Program::Squads]].concat();
    sbf::build(paths, &toolchain, &programs, progress)?;
    progress.say("compiling the bench");
    // Runs by `cargo test`, in the profile of all tests: compute units and bytes do not depend on
    // the optimisation of the host's code.
    let bench = command::compiled(paths, &["test", "-p", "bench-program", "--bench", "program"])?;
    let (_, binary) = bench.into_iter().next().context("cargo built no bench of the program")?;
    progress.say("measuring");
    let mut measure = Command::new(&binary);
    measure.env("CONTROL_ROOM_ELF_DIR", paths.elf());
    if options.json {
        measure.arg("--json");
    }
    // The bench's output to stderr is shown only if it prints no figures.
    measure.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = measure.output().with_context(|| format!("cannot start {}", binary.display()))?;
    ensure!(!output.stdout.is_empty(), "measuring failed:\n{}", command::tail(&output));
    print!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(if output.status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The figures of the indexer, on a throwaway Postgres. The table says which goals were missed.
fn indexer(options: &Bench, paths: &Paths, progress: &Progress) -> Result<ExitCode> {
    ensure!(!options.json, "the indexer's figures are printed as a table only");
    system::ensure(&system::COMPILING, progress)?;
    system::ensure(&[postgres::NEED], progress)?;
    progress.say("compiling the bench");
    let bench = ["bench", "-p", "bench-indexer", "--bench", "indexer"];
    let bench = command::compiled(paths, &bench)?;
    let (_, binary) = bench.into_iter().next().context("cargo built no bench of the indexer")?;
    progress.say("measuring: some ten minutes, during which nothing else should run");
    let server = Postgres::start_durable()?;
    let mut measure = Command::new(&binary);
    measure.env("CONTROL_ROOM_BENCH_POSTGRES", server.url());
    command::run(&mut measure, "measuring")?;
    Ok(ExitCode::SUCCESS)
}
