//! The definition of the command line. Only values: no file is read and nothing is opened here. Doc comments of commands
//! and flags are their help texts.
pub mod governance;
pub mod mirror;
pub mod parse;
pub mod setup;
pub mod tx;
pub mod webhooks;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use solana_pubkey::Pubkey;

use crate::config::{Flags, KeyFile, home::parser as path};

/// The control room for Solana program upgrades.
///
/// Without a command it opens the screens. Every command that signs prints first what would be
/// signed and needs --yes. Exit codes: 0 done, 1 failed, 2 not confirmed or wrong usage.
#[derive(Parser, Debug)]
#[command(name = "control-room", version, about, long_about)]
pub struct Cli {
    /// The flags that every command takes.
    #[command(flatten)]
    pub common: Flags,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// For tests of the terminal's restoration: panic after the first frame.
    #[arg(long, hide = true)]
    pub debug_panic: bool,
    /// For tests of the terminal's restoration: fail after the first frame.
    #[arg(long, hide = true)]
    pub debug_error: bool,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Print programs, proposals and progress
    Status(Output),
    /// Multisigs
    #[command(subcommand)]
    Multisig(setup::Multisig),
    /// Programs under the manager
    #[command(subcommand)]
    Program(setup::Program),
    /// Buffers that hold code
    #[command(subcommand)]
    Buffer(setup::Buffer),
    /// Propose an upgrade from two frozen and attested buffers
    Propose(Propose),
    /// Vote for a proposal
    Approve(Act),
    /// Vote against a proposal
    Reject(Act),
    /// Take your vote back
    Revoke(Act),
    /// Cancel a proposal, or vote to cancel it
    Cancel(Act),
    /// Cancel a proposal at once, as the multisig's guardian
    Veto(Act),
    /// Stop a multisig's executions for three days, as its guardian
    Pause(governance::MultisigArgs),
    /// Vote to lift a pause
    Unpause(governance::MultisigArgs),
    /// Record that a proposal ran out of time
    Expire(Act),
    /// Execute a proposal once its timelock is over: replace the program's code, put a multisig's new
    /// rules in force, or hand a program over
    Execute(Execute),
    /// Migrate the accounts; starts again where it stopped
    Migrate(Act),
    /// Verify every migrated account, then complete
    Verify(Act),
    /// Quarantine an account that cannot migrate
    Quarantine(Quarantine),
    /// Vote for rollback; once approved, restore the accounts and the old code
    Rollback(Rollback),
    /// Close the accounts of a proposal that has ended; the rent goes back to who paid it
    Close(setup::Close),
    /// Look a transaction up by its signature: whether it landed, and why it failed
    ///
    /// Asks the node, not the mirror. Exit code 0: it landed and succeeded; 1: anything else.
    Tx(tx::Tx),
    /// The audit log: print it, check it, export it, print its newest hash
    Audit(mirror::Audit),
    /// Mirror the chain without screens, until Ctrl-C
    ///
    /// With --once or --verify it ends by itself. Exit code 0: the mirror equals the chain; 1: it differs; 2: it could
    /// not be read or written.
    Index(mirror::Index),
    /// Play a recording into a new mirror: the same recording gives the same digest and audit head on
    /// every machine
    Replay(mirror::Replay),
    /// Bring the schema of the Postgres mirror up to date, and make a role that only reads it
    MigrateDb(mirror::MigrateDb),
    /// Check nodes, mirror, folders and keys, and say what to fix; changes nothing
    Doctor(Output),
    /// Webhooks: which messages each has received, and sending by hand
    #[command(subcommand)]
    Webhooks(webhooks::Webhooks),
    /// Start a local chain with an upgrade on its way, and open the screens on it
    Sandbox(Sandbox),
    /// The configuration file
    #[command(subcommand)]
    Config(Config),
}

/// How to print.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Output {
    /// Print one JSON value
    #[arg(long)]
    pub json: bool,
}

/// Arguments of every command that signs something about one proposal.
#[derive(Args, Debug)]
pub struct Act {
    /// Address of the proposal, or its id [default: the one that is live]
    #[arg(long, value_name = "ADDRESS|ID")]
    pub proposal: Option<String>,
    /// Program that an id is meant for; needed with several programs
    #[arg(long, value_name = "ADDRESS")]
    pub program: Option<Pubkey>,
    /// Sign and send; without it only the preflight is printed
    #[arg(long)]
    pub yes: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `execute`.
#[derive(Args, Debug)]
pub struct Execute {
    /// Key file of the new authority, where a program is handed over
    #[arg(long, value_name = "FILE")]
    pub cosigner: Option<KeyFile>,
    /// The rest.
    #[command(flatten)]
    pub act: Act,
}

/// Arguments of `quarantine`.
#[derive(Args, Debug)]
pub struct Quarantine {
    /// The account
    #[arg(long, value_name = "ADDRESS")]
    pub account: Pubkey,
    /// The rest.
    #[command(flatten)]
    pub act: Act,
}

/// Arguments of `rollback`.
#[derive(Args, Debug)]
pub struct Rollback {
    /// Agree to give up accounts that cannot be restored
    #[arg(long)]
    pub give_up: bool,
    /// The rest.
    #[command(flatten)]
    pub act: Act,
}

/// Arguments of `propose`.
#[derive(Args, Debug)]
pub struct Propose {
    /// The program to upgrade
    #[arg(long, value_name = "ADDRESS")]
    pub program: Pubkey,
    /// Frozen and attested buffer with the new code
    #[arg(long, value_name = "ADDRESS")]
    pub buffer: Pubkey,
    /// Frozen and attested buffer with the code that runs now
    #[arg(long, value_name = "ADDRESS")]
    pub rollback_buffer: Pubkey,
    /// Version after the upgrade
    #[arg(long, value_name = "N")]
    pub to_version: u16,
    /// Supersede an upgrade that is executed and not complete
    #[arg(long)]
    pub roll_forward: bool,
    /// Oldest version of an account that may migrate [default: the program's own]
    #[arg(long, value_name = "N")]
    pub oldest_version: Option<u16>,
    /// Account type that migrates: discriminator:offset:width:oldmin-oldmax:newmin-newmax, the
    /// discriminator as 16 hex digits, with `:critical` appended where the old bytes must be kept on
    /// chain; may be given several times
    #[arg(long = "type-rule", value_name = "RULE")]
    pub type_rules: Vec<String>,
    /// Days from now after which the proposal expires
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=180))]
    pub expires_in: u32,
    /// Link to the source
    #[arg(long, default_value = "", value_name = "URL")]
    pub source: String,
    /// Commit of the source
    #[arg(long, default_value = "", value_name = "HASH")]
    pub commit: String,
    /// Image of the reproducible build
    #[arg(long, default_value = "", value_name = "IMAGE")]
    pub image: String,
    /// Sign and send; without it only the preflight is printed
    #[arg(long)]
    pub yes: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `sandbox`.
#[derive(Args, Debug)]
pub struct Sandbox {
    /// Run the whole flow without screens and exit
    #[arg(long)]
    pub headless: bool,
    /// Folder of the three ELFs
    #[arg(long, env = "CONTROL_ROOM_ELF_DIR", value_name = "DIR", value_parser = path())]
    pub elf_dir: Option<PathBuf>,
    /// Vault accounts to create, 1 to 10000 [default: 200]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub vaults: Option<u32>,
    /// Milliseconds of a slot, 50 to 750 [default: 400, with --headless 50]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(50..=750))]
    pub slot_ms: Option<u64>,
}

/// The configuration file.
#[derive(Subcommand, Debug)]
pub enum Config {
    /// Print a file with every key
    PrintDefault,
    /// Check the file and say where it is
    Check,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_explains_itself() {
        Cli::command().debug_assert();
        let mut todo = vec![Cli::command()];
        while let Some(command) = todo.pop() {
            let name = command.get_name().to_owned();
            assert!(command.get_about().is_some(), "{name} has no help");
            for arg in command.get_arguments().filter(|a| !a.is_hide_set()) {
                assert!(arg.get_help().is_some(), "{name} --{} has no help", arg.get_id());
            }
            todo.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn the_hidden_switches_stay_hidden() {
        let help = Cli::command().render_long_help().to_string();
        assert!(!help.contains("debug-panic") && help.contains("--read-only"));
    }
}
