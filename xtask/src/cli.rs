//! The command line. The help texts are the only documentation of these commands, so every option says
//! what happens without it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::program::Program;

/// The end of the help: folders in the cache, and the environment variables that are read.
const ENVIRONMENT: &str = "\
Folders, all under ${XDG_CACHE_HOME:-~/.cache}/program-upgrade-control-room/:
  elf/            the ELFs, each with the key of the sources it was built from
  sbf-toolchain/  the toolchain of the offline path, 900 MB
  sbf-target/     its build folders
  idl-target/     build folder of `idl`, 600 MB
  target/         cargo's target folder for `sandbox` and `test`
  bank-target/    build folder of the tests on a bank

Environment:
  CARGO_TARGET_DIR              another target folder for `sandbox` and `test`
  CONTROL_ROOM_DEBIAN_MIRROR    a Debian mirror up to and with /debian, in place of apt's own
  CONTROL_ROOM_DEBIAN_KEYRING   the key ring that mirror's archive is signed with
  PROPTEST_RNG_SEED             the seed of `test`'s property tests [default: always the same one,
                                with --long a fresh one]; `cargo test` takes it as well";

/// Builds the programs' ELFs, sets up what is missing, runs the sandbox and every test.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = ENVIRONMENT)]
pub struct Cli {
    #[command(subcommand)]
    pub task: Task,
}

#[derive(Debug, Subcommand)]
pub enum Task {
    BuildSbf(BuildSbf),
    Idl(Idl),
    Sandbox(Sandbox),
    Test(Test),
    Mutants(Mutants),
    Bench(Bench),
}

/// Build the on-chain programs to ELFs and print size, sBPF version and hash of each.
///
/// Uses `cargo build-sbf` where it is on PATH. Elsewhere it sets up a toolchain of its own from
/// Debian's packages and cargo's registry: once, without root, in 2 to 5 minutes. ELFs whose sources
/// did not change are not built again. The hash is the one that `solana-verify` shows for the file.
#[derive(Debug, Args)]
#[command(after_help = ENVIRONMENT)]
pub struct BuildSbf {
    /// The programs to build [default: the manager, and the demo vault in both layouts]
    #[arg(value_enum, value_name = "PROGRAM")]
    pub programs: Vec<Program>,
    /// Copy the ELFs into this folder as well [default: leave them in the cache folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Build the toolchain's test program too, which tests/tests/toolchain runs
    #[arg(long)]
    pub selftest: bool,
    /// Set the toolchain up, print what it is made of, and build nothing
    #[arg(long, conflicts_with_all = ["programs", "out", "selftest"])]
    pub setup: bool,
    /// Which toolchain to build with
    #[arg(long, value_enum, default_value_t = ToolchainChoice::Auto)]
    pub toolchain: ToolchainChoice,
}

/// Which toolchain compiles the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ToolchainChoice {
    /// Solana's where it is on PATH, else the offline one
    Auto,
    /// `cargo build-sbf`, an error where it is not on PATH
    Solana,
    /// The one from Debian's packages, whatever is on PATH
    Offline,
}

/// Write the programs' interface descriptions to idl/, as `anchor idl build` would.
///
/// Compiles the programs for this machine, with a minute of work the first time. Needs neither Anchor's
/// nor Solana's tools.
#[derive(Debug, Args)]
pub struct Idl {
    /// Write nothing, and fail if what is committed is not what the programs say
    #[arg(long)]
    pub check: bool,
}

/// Open the control room on a local chain with a seeded upgrade.
///
/// Installs and builds what is missing first and says at each step what it does: up to 25 minutes
/// from nothing, about a second when everything is there. Ctrl-C ends the control room, and its exit
/// code is this command's.
#[derive(Debug, Args)]
#[command(after_help = ENVIRONMENT)]
pub struct Sandbox {
    /// Passed on to `control-room sandbox`: `--headless` runs the whole flow without a screen
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    pub arguments: Vec<String>,
}

/// Run every check and every test.
///
/// In this order: formatting, clippy, interface descriptions, ELFs, a throwaway Postgres, `cargo test`
/// of the whole workspace in a D-Bus session of its own, and the tests on a bank of Agave, which have a
/// lock of their own. Installs missing Debian packages first, which needs root or sudo. Ends with a
/// line "N passed, N failed"; the exit code is 0 only if nothing failed.
///
/// Property tests try the same cases every time: their seed is fixed, printed before the tests and, with
/// the command that repeats them, after a failure. PROPTEST_RNG_SEED sets another one.
#[derive(Debug, Args)]
#[command(after_help = ENVIRONMENT)]
pub struct Test {
    /// Run the tests that are marked as ignored as well, and try properties ten times as often, with a
    /// fresh seed: this takes minutes
    #[arg(long)]
    pub long: bool,
    /// Run only tests with one of these texts in their names
    #[arg(value_name = "NAME-FILTER")]
    pub filters: Vec<String>,
}

/// Switch off one control of the manager after the other and show which test notices.
///
/// Builds the manager once more with a switch in it, and writes what it finds into
/// `programs/upgrade-manager/controls.tsv`: beside every control the test that fails without it.
/// The exit code is 0 only if none survived unexplained. About ten minutes; longer where the list is
/// not up to date.
#[derive(Debug, Args)]
#[command(after_help = ENVIRONMENT)]
pub struct Mutants {
    /// Only controls whose file or rule contains one of these texts [default: all]
    #[arg(value_name = "TEXT")]
    pub filters: Vec<String>,
}

impl Mutants {
    /// Whether the control called `name` is chosen.
    pub fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|text| name.contains(text))
    }
}

/// Measure, and hold the figures against the bounds they must keep.
///
/// `program` prints compute units, bytes and accounts of every instruction of the manager, taken on
/// the real ELFs on a chain in this process, side by side with the same steps of the real Squads v4,
/// and below them every bound with "ok" or "ABOVE". No figure depends on the machine or its load. The
/// exit code is 0 only if every bound is kept. Half a minute once everything is built.
#[derive(Debug, Args)]
#[command(after_help = ENVIRONMENT)]
pub struct Bench {
    /// What to measure
    #[arg(value_enum, value_name = "SUBJECT")]
    pub subject: Subject,
    /// Print JSON instead of tables
    #[arg(long)]
    pub json: bool,
}

/// What `bench` measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// The upgrade manager
    Program,
    /// The indexer, on Postgres and SQLite
    Indexer,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_sandbox_gets_its_options_untouched() {
        let line = ["cargo xtask", "sandbox", "--headless", "--slot-ms", "50", "--", "x"];
        let Task::Sandbox(sandbox) = Cli::parse_from(line).task else { panic!("another task") };
        assert_eq!(sandbox.arguments.first().map(String::as_str), Some("--headless"));
        assert_eq!(sandbox.arguments.len(), 5);
    }
}
