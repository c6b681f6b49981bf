//! What an operator can ask for, and how carefully it must be confirmed. Values only.
use std::time::Duration;

use solana_pubkey::Pubkey;
use upgrade_manager::state::{ProposalKind, Source, TypeRule};

/// How carefully a verb must be confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// Records what is already true.
    Safe,
    /// Needs a yes.
    Confirm,
    /// Needs the program's name typed.
    TypeToConfirm,
}

/// One thing an operator can do to a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Make the proposal; only `Backend::prepare_propose` prepares it.
    Propose,
    /// Vote for it.
    Approve,
    /// Vote against it.
    Reject,
    /// Take the vote back.
    Revoke,
    /// Cancel it, or vote to.
    Cancel,
    /// Record that its time is over.
    Expire,
    /// Replace the program's code.
    Execute,
    /// Migrate every account that can be migrated, and account for those that were closed.
    Migrate,
    /// Verify every migrated account, prove completeness and complete.
    Verify,
    /// Set one account aside that cannot migrate.
    Quarantine {
        /// The account.
        account: Pubkey,
    },
    /// The next step of a rollback: a vote while the threshold is not reached, then accounts and code.
    RollBack {
        /// Whether accounts that cannot be restored may be given up.
        give_up: bool,
    },
}

impl Verb {
    /// The verb's name, the same on screen, in logs and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Propose => "propose",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Revoke => "revoke",
            Self::Cancel => "cancel",
            Self::Expire => "expire",
            Self::Execute => "execute",
            Self::Migrate => "migrate",
            Self::Verify => "verify",
            Self::Quarantine { .. } => "quarantine",
            Self::RollBack { .. } => "rollback",
        }
    }

    /// How carefully it must be confirmed.
    #[must_use]
    pub fn danger(self) -> Danger {
        match self {
            Self::Expire => Danger::Safe,
            Self::Propose
            | Self::Approve
            | Self::Reject
            | Self::Revoke
            | Self::Cancel
            | Self::Migrate
            | Self::Verify
            | Self::Quarantine { .. } => Danger::Confirm,
            Self::Execute | Self::RollBack { .. } => Danger::TypeToConfirm,
        }
    }
}

/// A verb and the proposal it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// What to do.
    pub verb: Verb,
    /// To which proposal.
    pub proposal: Pubkey,
}

/// What a new proposal says; everything else is read from the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposeRequest {
    /// The program to upgrade.
    pub program: Pubkey,
    /// The frozen and attested buffer with the new code.
    pub buffer: Pubkey,
    /// The frozen and attested buffer with the code that runs now.
    pub rollback_buffer: Pubkey,
    /// An upgrade, or one that takes the place of an unfinished one.
    pub kind: ProposalKind,
    /// Oldest version of an account that may migrate; the program's own where none is named.
    pub oldest_version: Option<u16>,
    /// Version after the upgrade.
    pub to_version: u16,
    /// The types of accounts that migrate.
    pub type_rules: Vec<TypeRule>,
    /// How long from now until the proposal expires.
    pub expires_in: Duration,
    /// Where the code comes from.
    pub source: Source,
}
