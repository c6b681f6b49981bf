//! Arguments of the commands about a multisig itself: its rules, its pause, its end, and handing a program over.
use clap::Args;
use solana_pubkey::Pubkey;

use super::setup::{MemberSpec, SignArgs, member};

/// What every proposal about a multisig states besides its action.
#[derive(Args, Clone, Debug)]
pub struct ProposalArgs {
    /// Why, for people; at most 128 bytes
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub note: String,
    /// Days from now after which the proposal expires
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=180))]
    pub expires_in: u32,
}

/// Arguments of `multisig propose-change`. A rule that no flag names stays as it is.
#[derive(Args, Debug)]
pub struct ProposeChange {
    /// The multisig [default: the only one]
    #[arg(long, value_name = "ADDRESS")]
    pub multisig: Option<Pubkey>,
    /// Add a member, or change a member's roles: ADDRESS[:propose+vote+execute]; give it once for
    /// each
    #[arg(long = "add-member", value_name = "ADDRESS[:ROLES]", value_parser = member)]
    pub add: Vec<MemberSpec>,
    /// Remove a member; give it once for each
    #[arg(long = "remove-member", value_name = "ADDRESS")]
    pub remove: Vec<Pubkey>,
    /// Approvals that lock a proposal
    #[arg(long, value_name = "N")]
    pub threshold: Option<u8>,
    /// Hours between the deciding approval and the earliest execution
    #[arg(long, value_name = "HOURS")]
    pub timelock_hours: Option<u16>,
    /// Hours below which the timelock can never be set; it can only rise
    #[arg(long, value_name = "HOURS")]
    pub timelock_floor_hours: Option<u16>,
    /// Hours after the timelock in which a proposal can be executed
    #[arg(long, value_name = "HOURS")]
    pub window_hours: Option<u16>,
    /// Days after execution in which members can vote to roll back
    #[arg(long, value_name = "DAYS")]
    pub rollback_window_days: Option<u16>,
    /// Proposals one member may have open at once
    #[arg(long, value_name = "N")]
    pub open_cap: Option<u8>,
    /// Who may veto, pause for three days and roll back
    #[arg(long, value_name = "ADDRESS", conflicts_with = "no_guardian")]
    pub guardian: Option<Pubkey>,
    /// Have no guardian any more
    #[arg(long)]
    pub no_guardian: bool,
    /// The only account that surplus lamports of upgrades go to
    #[arg(long, value_name = "ADDRESS")]
    pub treasury: Option<Pubkey>,
    /// The rest of the proposal.
    #[command(flatten)]
    pub proposal_args: ProposalArgs,
    /// The rest.
    #[command(flatten)]
    pub sign: SignArgs,
}

/// Arguments of `multisig propose-dissolve`.
#[derive(Args, Debug)]
pub struct ProposeDissolve {
    /// The multisig [default: the only one]
    #[arg(long, value_name = "ADDRESS")]
    pub multisig: Option<Pubkey>,
    /// The rest of the proposal.
    #[command(flatten)]
    pub proposal_args: ProposalArgs,
    /// The rest.
    #[command(flatten)]
    pub sign: SignArgs,
}

/// Arguments of `program propose-transfer`.
#[derive(Args, Debug)]
pub struct ProposeTransfer {
    /// The program
    #[arg(long, value_name = "ADDRESS")]
    pub program: Pubkey,
    /// The new upgrade authority; must sign the execution too
    #[arg(long, value_name = "ADDRESS")]
    pub new_authority: Pubkey,
    /// The rest of the proposal.
    #[command(flatten)]
    pub proposal_args: ProposalArgs,
    /// The rest.
    #[command(flatten)]
    pub sign: SignArgs,
}

/// Arguments of `pause` and `unpause`.
#[derive(Args, Debug)]
pub struct MultisigArgs {
    /// The multisig [default: the only one]
    #[arg(long, value_name = "ADDRESS")]
    pub multisig: Option<Pubkey>,
    /// The rest.
    #[command(flatten)]
    pub sign: SignArgs,
}
