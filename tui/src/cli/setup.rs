//! Arguments of the set-up commands: `multisig`, `program`, `buffer`, `close`.
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use solana_pubkey::Pubkey;
use upgrade_manager::state::{BufferRole, role};

use super::Output;
use super::governance::{ProposeChange, ProposeDissolve, ProposeTransfer};
use crate::config::{KeyFile, home::parser as path};

/// Whether to sign, and how to print. Part of every set-up command that signs.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct SignArgs {
    /// Sign and send; without it only the preflight is printed
    #[arg(long)]
    pub yes: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Multisigs.
#[derive(Subcommand, Debug)]
pub enum Multisig {
    /// Make a multisig that decides about upgrades; only its own vote can change its rules afterwards
    Create(MultisigCreate),
    /// Propose new rules: members, roles, threshold, times, guardian, treasury
    ProposeChange(Box<ProposeChange>),
    /// Propose to end a multisig, which must hold no program by then
    ProposeDissolve(ProposeDissolve),
}

/// Arguments of `multisig create`.
#[derive(Args, Debug)]
pub struct MultisigCreate {
    /// Approvals that lock a proposal; more than half of the voters
    #[arg(long, value_name = "N")]
    pub threshold: u8,
    /// Hours between the deciding approval and the earliest execution
    #[arg(long, value_name = "HOURS", default_value_t = 48)]
    pub timelock_hours: u16,
    /// Hours below which the timelock can never be set, at least 48 [default: 48]
    #[arg(long, value_name = "HOURS")]
    pub timelock_floor_hours: Option<u16>,
    /// Hours after the timelock in which a proposal can be executed
    #[arg(long, value_name = "HOURS", default_value_t = 168)]
    pub window_hours: u16,
    /// Days after execution in which members can vote to roll back
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub rollback_window_days: u16,
    /// The only account that surplus lamports of upgrades go to
    #[arg(long, value_name = "ADDRESS")]
    pub treasury: Pubkey,
    /// A member, with every role or with some: ADDRESS[:propose+vote+execute]; give it once for
    /// each member
    #[arg(long = "member", value_name = "ADDRESS[:ROLES]", required = true, value_parser = member)]
    pub members: Vec<MemberSpec>,
    /// Who may veto, pause for three days and roll back, and nothing else; not a member
    #[arg(long, value_name = "ADDRESS")]
    pub guardian: Option<Pubkey>,
    /// Proposals one member may have open at once
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub open_cap: u8,
    /// Let votes in durable-nonce transactions count, as offline signers need
    #[arg(long)]
    pub allow_durable_nonce: bool,
    /// The rest.
    #[command(flatten)]
    pub sign: SignArgs,
}

/// A new member, as `--member ADDRESS[:ROLES]` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberSpec {
    /// The key that signs.
    pub key: Pubkey,
    /// Bits of [`role`].
    pub roles: u8,
}

pub(super) fn member(text: &str) -> Result<MemberSpec, String> {
    let (key, roles) = text.split_once(':').unwrap_or((text, "propose+vote+execute"));
    let key = key.parse().map_err(|_| format!("{key} is not an address"))?;
    let mut bits = 0;
    for name in roles.split('+') {
        bits |= match name {
            "propose" => role::PROPOSE,
            "vote" => role::VOTE,
            "execute" => role::EXECUTE,
            _ => return Err(format!("{name:?} is not a role: propose, vote or execute")),
        };
    }
    Ok(MemberSpec { key, roles: bits })
}

/// Programs.
#[derive(Subcommand, Debug)]
pub enum Program {
    /// Hand a program's upgrade authority to the manager; signed by who holds it now
    Register(Register),
    /// Make room for larger code; anyone may pay
    Extend(Extend),
    /// Propose to hand a program's upgrade authority over
    ProposeTransfer(ProposeTransfer),
}

/// Arguments of `program register`.
#[derive(Args, Debug)]
pub struct Register {
    /// The program
    #[arg(long, value_name = "ADDRESS")]
    pub program: Pubkey,
    /// The multisig that will decide about its upgrades
    #[arg(long, value_name = "ADDRESS")]
    pub multisig: Pubkey,
    /// Current version of its accounts
    #[arg(long = "version", value_name = "N")]
    pub number: u16,
    /// The rest.
    #[command(flatten)]
    pub sign: SignArgs,
}

/// Arguments of `program extend`.
#[derive(Args, Debug)]
pub struct Extend {
    /// The program
    #[arg(long, value_name = "ADDRESS")]
    pub program: Pubkey,
    /// Bytes to add; clusters add at least 10240
    #[arg(long, value_name = "N")]
    pub bytes: u32,
    /// The rest.
    #[command(flatten)]
    pub sign: SignArgs,
}

/// Buffers.
#[derive(Subcommand, Debug)]
pub enum Buffer {
    /// Upload code into a new buffer; an interrupted upload goes on when the command is run again
    Upload(Upload),
    /// Fix a buffer's bytes for a program and take their hash
    Freeze(Freeze),
    /// Print what a buffer holds and who holds it
    Show(Show),
}

/// Arguments of `buffer upload`.
#[derive(Args, Debug)]
pub struct Upload {
    /// The ELF, as `cargo build-sbf` writes it
    #[arg(value_name = "FILE", value_parser = path(), required_unless_present = "live", conflicts_with = "live")]
    pub file: Option<PathBuf>,
    /// Upload a copy of the code that --program runs now, to roll back to
    #[arg(long, requires = "program")]
    pub live: bool,
    /// The program the code is for: also checks whether it has room
    #[arg(long, value_name = "ADDRESS")]
    pub program: Option<Pubkey>,
    /// Go on with the buffer of this key file [default: one in the data folder, kept until the
    /// upload is complete]
    #[arg(long, value_name = "BUFFER-KEY-FILE")]
    pub resume: Option<KeyFile>,
    /// The rest.
    #[command(flatten)]
    pub sign: SignArgs,
}

/// What a buffer is for.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It holds the new code
    Upgrade,
    /// It holds a copy of the code that runs
    Rollback,
}

impl From<Role> for BufferRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Upgrade => Self::Upgrade,
            Role::Rollback => Self::Rollback,
        }
    }
}

/// Arguments of `buffer freeze`.
#[derive(Args, Debug)]
pub struct Freeze {
    /// The buffer
    #[arg(long, value_name = "ADDRESS")]
    pub buffer: Pubkey,
    /// The program it is for
    #[arg(long, value_name = "ADDRESS")]
    pub program: Pubkey,
    /// What it is for
    #[arg(long, value_name = "ROLE")]
    pub role: Role,
    /// The rest.
    #[command(flatten)]
    pub sign: SignArgs,
}

/// Arguments of `buffer show`.
#[derive(Args, Debug)]
pub struct Show {
    /// The buffer
    #[arg(value_name = "ADDRESS")]
    pub buffer: Pubkey,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `close`.
#[derive(Args, Debug)]
pub struct Close {
    /// Address of the proposal, or its id [default: the one that is left]
    #[arg(long, value_name = "ADDRESS|ID")]
    pub proposal: Option<String>,
    /// Program that an id is meant for; needed with several programs
    #[arg(long, value_name = "ADDRESS")]
    pub program: Option<Pubkey>,
    /// A buffer that no proposal has pinned, instead of a proposal; with --program one that was
    /// given to the manager's address of that program without being frozen
    #[arg(long, value_name = "ADDRESS", conflicts_with = "proposal")]
    pub buffer: Option<Pubkey>,
    /// A multisig that has ended
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["proposal", "program", "buffer"])]
    pub multisig: Option<Pubkey>,
    /// The state of a program that was handed over
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["proposal", "program", "buffer", "multisig"])]
    pub state: Option<Pubkey>,
    /// The rest.
    #[command(flatten)]
    pub sign: SignArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_has_every_role_or_those_named() {
        let key = Pubkey::new_from_array([7; 32]);
        assert_eq!(member(&key.to_string()), Ok(MemberSpec { key, roles: role::ALL }));
        let some = member(&format!("{key}:vote+execute")).unwrap();
        assert_eq!(some.roles, role::VOTE | role::EXECUTE);
        for bad in [format!("{key}:"), format!("{key}:vote,execute"), "x:vote".to_owned()] {
            assert!(member(&bad).is_err(), "{bad}");
        }
    }
}
