//! The manager's account types, and the fields of each that the store keeps as columns. Layouts and
//! names come from the program crate.
pub mod decode;
pub mod describe;
mod update;

use anchor_lang::AnchorDeserialize;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{
    AccountBackup, AccountStatus, AccountVersion, BufferAttestation, GovernanceProposal,
    MultisigConfig, ProgramUpgradeState, UpgradeProposal,
};

pub use update::{Quarantined, Update};

/// An account type of the manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    /// [`MultisigConfig`].
    Multisig,
    /// [`ProgramUpgradeState`].
    Program,
    /// [`UpgradeProposal`].
    Proposal,
    /// [`BufferAttestation`].
    Attestation,
    /// [`AccountVersion`].
    AccountVersion,
    /// [`GovernanceProposal`].
    Governance,
    /// [`AccountBackup`].
    Backup,
}

impl AccountKind {
    /// Its name, the same on chain, in SQL and in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Multisig => "MultisigConfig",
            Self::Program => "ProgramUpgradeState",
            Self::Proposal => "UpgradeProposal",
            Self::Attestation => "BufferAttestation",
            Self::AccountVersion => "AccountVersion",
            Self::Governance => "GovernanceProposal",
            Self::Backup => "AccountBackup",
        }
    }
}

/// One decoded account of the manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagerAccount {
    /// A multisig.
    Multisig(Box<MultisigConfig>),
    /// The state of a managed program.
    Program(Box<ProgramUpgradeState>),
    /// A proposal.
    Proposal(Box<UpgradeProposal>),
    /// A frozen buffer.
    Attestation(Box<BufferAttestation>),
    /// The version record of one account of a target program.
    AccountVersion(Box<AccountVersion>),
    /// A proposal about a multisig.
    Governance(Box<GovernanceProposal>),
    /// The backup of one account of a target program.
    Backup(Box<BackupHead>),
}

/// An [`AccountBackup`] without the saved bytes, which are not mirrored.
#[derive(AnchorDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct BackupHead {
    /// Layout number.
    pub layout: u8,
    /// Bump of the backup's address.
    pub bump: u8,
    /// The target program.
    pub program: Pubkey,
    /// The account.
    pub account: Pubkey,
    /// The proposal that migrated it.
    pub proposal: Pubkey,
    /// The payer of its rent.
    pub payer: Pubkey,
    /// sha256 of the bytes.
    pub sha256: [u8; 32],
    /// Length of the saved bytes.
    pub len: u32,
}

impl BackupHead {
    /// Mirrored bytes of a backup, including its discriminator.
    pub const SIZE: usize = AccountBackup::HEADER;
}

/// The fields of an account that the store keeps as columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facets {
    /// The account type.
    pub kind: AccountKind,
    /// The target program, where there is one.
    pub program: Option<Pubkey>,
    /// The proposal it belongs to, where there is one.
    pub proposal: Option<Pubkey>,
    /// The account, buffer or multisig it is about, where there is one.
    pub account: Option<Pubkey>,
    /// Name of its status, phase or role.
    pub status: Option<&'static str>,
    /// Version it holds, or leads to.
    pub version: Option<u16>,
    /// The counter of a version record.
    pub tally: Option<Tally>,
}

/// Identifies the counter that a live version record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The target program.
    pub program: Pubkey,
    /// The proposal that moved the account last.
    pub proposal: Pubkey,
    /// Migration status of the account.
    pub status: AccountStatus,
}

impl ManagerAccount {
    /// The fields that the store keeps as columns.
    #[must_use]
    pub fn facets(&self) -> Facets {
        let none = Facets {
            kind: AccountKind::Multisig,
            program: None,
            proposal: None,
            account: None,
            status: None,
            version: None,
            tally: None,
        };
        match self {
            Self::Multisig(_) => none,
            Self::Program(a) => Facets {
                kind: AccountKind::Program,
                program: Some(a.program),
                proposal: a.live_proposal,
                status: Some(a.phase.name()),
                version: Some(a.version),
                ..none
            },
            Self::Proposal(a) => Facets {
                kind: AccountKind::Proposal,
                program: Some(a.terms.program),
                status: Some(a.status.name()),
                version: Some(a.terms.to_version),
                ..none
            },
            Self::Attestation(a) => Facets {
                kind: AccountKind::Attestation,
                program: Some(a.program),
                proposal: a.proposal,
                account: Some(a.buffer),
                status: Some(a.role.name()),
                ..none
            },
            Self::AccountVersion(a) => Facets {
                kind: AccountKind::AccountVersion,
                program: Some(a.program),
                proposal: Some(a.proposal),
                account: Some(a.account),
                status: Some(a.status.name()),
                version: Some(a.version),
                tally: Some(Tally { program: a.program, proposal: a.proposal, status: a.status }),
            },
            Self::Governance(a) => Facets {
                kind: AccountKind::Governance,
                program: a.terms.action.program(),
                account: Some(a.terms.multisig),
                status: Some(a.status.name()),
                ..none
            },
            Self::Backup(a) => Facets {
                kind: AccountKind::Backup,
                program: Some(a.program),
                proposal: Some(a.proposal),
                account: Some(a.account),
                ..none
            },
        }
    }
}
