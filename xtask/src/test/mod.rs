//! `cargo xtask test`: every check and every test, the cheapest first. A step that fails ends the run,
//! and the last line always is "N passed, N failed".

mod counts;
pub mod postgres;
pub mod seed;

use std::{
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context as _, Result};

use crate::{
    cli::{Test, ToolchainChoice},
    command, idl,
    paths::Paths,
    program::Program,
    progress::Progress,
    sandbox::{binaries, binary},
    sbf::{self, toolchain::Toolchain},
    system,
};
use counts::Counts;
use postgres::Postgres;
use seed::Seed;

/// The crate of the tests on a bank.
const BANK: &str = "tests/bank";
/// The crates with a lock of their own, which `cargo fmt --all` in the workspace does not reach.
const OWN_LOCKS: [&str; 4] =
    ["tools/sbf/sbf-ld", "tools/sbf/elf-selftest", "tools/sbf/squads-elf", BANK];

/// The command.
pub fn run(options: &Test) -> Result<ExitCode> {
    let counts = match all(options) {
        Ok(counts) => counts,
        Err(error) => {
            eprintln!("error: {error:#}");
            Counts { passed: 0, failed: 1 }
        }
    };
    println!("{counts}");
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn all(options: &Test) -> Result<Counts> {
    let seed = Seed::choose(options)?;
    let mut steps = Steps { progress: Progress::start(), number: 0 };
    let counts = every_step(options, seed, &mut steps)?;
    if counts.failed > 0 {
        let again = seed.again(options);
        eprintln!("Property tests had the seed {seed}. To try the same cases again: {again}");
    }
    Ok(counts)
}

fn every_step(options: &Test, seed: Seed, steps: &mut Steps) -> Result<Counts> {
    let paths = Paths::find()?;
    let progress = steps.progress;
    let toolchain = Toolchain::choose(&paths, ToolchainChoice::Auto)?;
    steps.step("what the machine needs", || {
        let needs = [&system::COMPILING[..], &[system::SESSION_BUS, postgres::NEED]].concat();
        system::ensure(&needs, &progress)
    })?;
    steps.step("formatting", || {
        cargo(&paths, &["fmt", "--all", "--check"], "cargo fmt")?;
        for own_lock in OWN_LOCKS {
            let manifest = format!("{own_lock}/Cargo.toml");
            let arguments = ["fmt", "--all", "--check", "--manifest-path", &manifest];
            cargo(&paths, &arguments, "cargo fmt")?;
        }
        Ok(())
    })?;
    steps.step("clippy", || {
        let checked = ["clippy", "--workspace", "--all-targets", "--locked"];
        cargo(&paths, &[&checked[..], &["--", "-D", "warnings"]].concat(), "cargo clippy")
    })?;
    steps.step("interface descriptions", || idl::check(&paths, &progress))?;
    steps.step("ELFs", || {
        let programs = [&Program::PRODUCT[..], &Program::TEST].concat();
        sbf::build(&paths, &toolchain, &programs, &progress)
    })?;
    steps.step("binaries", || binaries(&paths, &progress))?;
    let postgres = steps.step("throwaway Postgres", Postgres::start)?;
    let variable = seed::VARIABLE;
    progress.say(&format!("property tests have the seed {seed}; {variable} sets another one"));
    let mut counts = Counts::default();
    if toolchain.is_offline() {
        counts += steps.step("tests of the linker driver", || {
            let mut cargo = toolchain.driver_tests();
            cargo.arg("--no-fail-fast");
            select(&mut cargo, options);
            counts::run(&mut cargo)
        })?;
    }
    counts += steps.step("tests of the workspace", || {
        counts::run(&mut workspace_tests(&paths, options, seed, &postgres.url()))
    })?;
    counts += steps.step("tests on a bank", || counts::run(&mut bank_tests(&paths, options)))?;
    Ok(counts)
}

/// `cargo test` of the crate with a lock of its own that runs the ELFs on a bank.
fn bank_tests(paths: &Paths, options: &Test) -> Command {
    // Runs in the crate's folder, because cargo reads its `.cargo/config.toml` only there.
    let mut tests = command::cargo(&paths.root.join(BANK), &paths.bank_target());
    tests.args(["test", "--locked", "--no-fail-fast"]).env("CONTROL_ROOM_ELF_DIR", paths.elf());
    select(&mut tests, options);
    tests
}

/// `cargo test` of the whole workspace, with the variables that tell it where ELFs, binaries and Postgres are.
fn workspace_tests(paths: &Paths, options: &Test, seed: Seed, postgres: &str) -> Command {
    let cargo = command::cargo(&paths.root, &paths.target());
    // `dbus-run-session` wraps cargo, so folder and environment are copied from the cargo command.
    let mut tests = Command::new("dbus-run-session");
    tests.arg("--").arg(cargo.get_program());
    tests.args(["test", "--workspace", "--locked", "--no-fail-fast"]).current_dir(&paths.root);
    for (name, value) in cargo.get_envs() {
        match value {
            Some(value) => tests.env(name, value),
            None => tests.env_remove(name),
        };
    }
    tests
        .env("CONTROL_ROOM_ELF_DIR", paths.elf())
        .env("CONTROL_ROOM_ELF_SELFTEST", Program::ElfSelftest.elf_path(paths))
        .env("CONTROL_ROOM_TEST_POSTGRES", postgres)
        .env(seed::VARIABLE, seed.to_string())
        .env("CONTROL_ROOM_BIN", binary(paths, "control-room"))
        .env("CONTROL_ROOM_SANDBOX_BIN", binary(paths, "control-room-sandbox"));
    select(&mut tests, options);
    tests
}

/// Which tests run, as arguments for the test binaries, and the number of cases of a property test.
fn select(cargo: &mut Command, options: &Test) {
    cargo.arg("--");
    if options.long {
        cargo.arg("--include-ignored").env("CONTROL_ROOM_TEST_SCALE", LONG_TEST_SCALE);
    }
    cargo.args(&options.filters);
}

/// By how much `--long` multiplies the number of cases of each property test.
const LONG_TEST_SCALE: &str = "10";

fn cargo(paths: &Paths, arguments: &[&str], what: &str) -> Result<()> {
    command::run(command::cargo(&paths.root, &paths.target()).args(arguments), what)
}

/// Names and times the steps.
struct Steps {
    progress: Progress,
    number: u32,
}

impl Steps {
    fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.number += 1;
        self.progress.say(&format!("step {}: {name}", self.number));
        let start = Instant::now();
        let result = work().with_context(|| format!("step {}, {name}", self.number))?;
        let seconds = start.elapsed().as_secs_f32();
        self.progress.say(&format!("step {}: {name} done in {seconds:.1} s", self.number));
        Ok(result)
    }
}
