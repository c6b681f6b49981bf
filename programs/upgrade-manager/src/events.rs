//! One event for every change of state. They are emitted by self-CPI, because a log can be
//! truncated or forged by another program. The audit trail is decoded from these inner
//! instructions.
use anchor_lang::prelude::*;

use crate::state::{AccountStatus, ActionKind, BufferRole, Choice, Counters, ProposalStatus};

/// A multisig was created.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultisigCreated {
    /// The multisig.
    pub multisig: Pubkey,
    /// Its members' keys.
    pub members: Vec<Pubkey>,
    /// Approvals it takes.
    pub threshold: u8,
    /// Seconds of timelock.
    pub timelock: u32,
}

/// The manager took over a program's upgrade authority.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramRegistered {
    /// The program.
    pub program: Pubkey,
    /// The multisig that decides from now on.
    pub multisig: Pubkey,
    /// The authority it had.
    pub previous_authority: Pubkey,
    /// The version it was registered as.
    pub version: u16,
    /// solana-verify hash of what runs.
    pub elf_hash: [u8; 32],
}

/// A buffer's authority moved to the manager: its bytes are fixed.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferFrozen {
    /// The buffer.
    pub buffer: Pubkey,
    /// The program it is for.
    pub program: Pubkey,
    /// What it is for.
    pub role: BufferRole,
    /// Bytes behind its header.
    pub len: u32,
    /// Who gets its rent back.
    pub refund: Pubkey,
}

/// A frozen buffer's hash was recorded.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferAttested {
    /// The buffer.
    pub buffer: Pubkey,
    /// The program it is for.
    pub program: Pubkey,
    /// What it is for.
    pub role: BufferRole,
    /// Its solana-verify hash.
    pub sha256: [u8; 32],
}

/// An upgrade proposal was created.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposalCreated {
    /// The proposal.
    pub proposal: Pubkey,
    /// The program.
    pub program: Pubkey,
    /// Its id.
    pub id: u64,
    /// Who proposed.
    pub proposer: Pubkey,
    /// What votes must name.
    pub digest: [u8; 32],
    /// Hash of the new code.
    pub elf_hash: [u8; 32],
    /// Version before.
    pub from_version: u16,
    /// Version after.
    pub to_version: u16,
    /// Accounts in the manifest.
    pub accounts: u32,
}

/// A member voted.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoteCast {
    /// The proposal.
    pub proposal: Pubkey,
    /// The program; all zero when it is about the multisig itself.
    pub program: Pubkey,
    /// The member.
    pub member: Pubkey,
    /// For or against.
    pub choice: Choice,
    /// Approvals now.
    pub approvals: u8,
    /// Status now.
    pub status: ProposalStatus,
    /// Earliest execution, 0 while not approved.
    pub eta: i64,
}

/// A member took a vote back.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoteRevoked {
    /// The proposal.
    pub proposal: Pubkey,
    /// The program; all zero when it is about the multisig itself.
    pub program: Pubkey,
    /// The member.
    pub member: Pubkey,
    /// Approvals now.
    pub approvals: u8,
    /// Status now.
    pub status: ProposalStatus,
}

/// A member asked to cancel, or the proposal was cancelled.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelRequested {
    /// The proposal.
    pub proposal: Pubkey,
    /// The program; all zero when it is about the multisig itself.
    pub program: Pubkey,
    /// The member.
    pub member: Pubkey,
    /// Status now.
    pub status: ProposalStatus,
}

/// A proposal's time was over, or its multisig had changed.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposalExpired {
    /// The proposal.
    pub proposal: Pubkey,
    /// The program; all zero when it is about the multisig itself.
    pub program: Pubkey,
}

/// An upgrade was executed.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeExecuted {
    /// The proposal.
    pub proposal: Pubkey,
    /// The program.
    pub program: Pubkey,
    /// Who executed.
    pub executor: Pubkey,
    /// Hash of the new code, taken in the same instruction.
    pub elf_hash: [u8; 32],
    /// Hash of the code it replaced.
    pub previous_elf_hash: [u8; 32],
    /// Version now.
    pub version: u16,
}

/// What happened to one account.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct AccountMove {
    /// The account.
    pub account: Pubkey,
    /// sha256 before.
    pub before: [u8; 32],
    /// sha256 after.
    pub after: [u8; 32],
}

/// Accounts changed status: one event a batch.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountsMoved {
    /// The proposal.
    pub proposal: Pubkey,
    /// The program.
    pub program: Pubkey,
    /// Who signed.
    pub actor: Pubkey,
    /// Their status now.
    pub status: AccountStatus,
    /// The accounts.
    pub accounts: Vec<AccountMove>,
    /// All counters after the batch.
    pub counters: Counters,
}

impl AccountsMoved {
    /// At least the bytes of its encoding.
    #[must_use]
    pub fn size(&self) -> usize {
        self.accounts.len().saturating_mul(96).saturating_add(192)
    }
}

/// Every account is verified, quarantined or closed.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationCompleted {
    /// The proposal.
    pub proposal: Pubkey,
    /// The program.
    pub program: Pubkey,
    /// Who completed it.
    pub executor: Pubkey,
    /// All counters.
    pub counters: Counters,
    /// Slot, so that anyone can repeat the scan.
    pub slot: u64,
}

/// A member voted for rollback.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackVoted {
    /// The proposal.
    pub proposal: Pubkey,
    /// The program.
    pub program: Pubkey,
    /// The member.
    pub member: Pubkey,
    /// Whether accounts that cannot be restored may be given up.
    pub give_up: bool,
    /// Votes now.
    pub votes: u8,
    /// Whether the threshold is reached.
    pub approved: bool,
}

/// The old code runs again.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramRolledBack {
    /// The proposal.
    pub proposal: Pubkey,
    /// The program.
    pub program: Pubkey,
    /// Who executed.
    pub executor: Pubkey,
    /// Hash of the code that runs again.
    pub elf_hash: [u8; 32],
    /// Version now.
    pub version: u16,
    /// Accounts that members gave up: they stay on the new layout.
    pub given_up: u64,
}

/// A governance proposal was created.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GovernanceProposed {
    /// The proposal.
    pub proposal: Pubkey,
    /// The multisig.
    pub multisig: Pubkey,
    /// Its id.
    pub id: u64,
    /// Who proposed.
    pub proposer: Pubkey,
    /// What votes must name.
    pub digest: [u8; 32],
    /// What it does.
    pub kind: ActionKind,
    /// The program it is about.
    pub program: Option<Pubkey>,
}

/// A multisig has new rules; its proposals that had not ended are stale.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChanged {
    /// The proposal.
    pub proposal: Pubkey,
    /// The multisig.
    pub multisig: Pubkey,
    /// Who executed.
    pub executor: Pubkey,
    /// Epoch now.
    pub config_epoch: u64,
    /// Approvals it takes now.
    pub threshold: u8,
    /// Seconds of timelock now.
    pub timelock: u32,
    /// Its members' keys now.
    pub members: Vec<Pubkey>,
}

/// A program's upgrade authority left the manager.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityTransferred {
    /// The proposal.
    pub proposal: Pubkey,
    /// The program.
    pub program: Pubkey,
    /// The multisig that decided.
    pub multisig: Pubkey,
    /// Who executed.
    pub executor: Pubkey,
    /// Who holds the authority now.
    pub new_authority: Pubkey,
}

/// A multisig has ended.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultisigDissolved {
    /// The proposal.
    pub proposal: Pubkey,
    /// The multisig.
    pub multisig: Pubkey,
    /// Who executed.
    pub executor: Pubkey,
}

/// The guardian paused a multisig, or a member asked to lift the pause.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseChanged {
    /// The multisig.
    pub multisig: Pubkey,
    /// The guardian or the member.
    pub actor: Pubkey,
    /// Chain time until which it is paused now, 0 when the pause was lifted.
    pub paused_until: i64,
    /// Votes to lift the pause now, 0 once it is lifted.
    pub votes: u8,
}

/// One chunk of a large frozen buffer was hashed.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkAttested {
    /// The buffer.
    pub buffer: Pubkey,
    /// The program it is for.
    pub program: Pubkey,
    /// Which chunk, from 0.
    pub chunk: u32,
    /// Hash over this chunk and those before it.
    pub accumulator: [u8; 32],
}

/// A buffer that was given to the manager without being frozen was closed.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferReclaimed {
    /// The buffer.
    pub buffer: Pubkey,
    /// The program whose address held it.
    pub program: Pubkey,
    /// Who executed.
    pub executor: Pubkey,
    /// Who got the rent.
    pub treasury: Pubkey,
}

/// What was closed.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedKind {
    /// A buffer and its attestation.
    Buffer,
    /// A proposal.
    Proposal,
    /// A version record.
    AccountVersion,
    /// A program's state, after its authority was handed over.
    ProgramState,
    /// A multisig that was dissolved.
    Multisig,
    /// A proposal about a multisig.
    Governance,
    /// A backup of an account.
    Backup,
}

/// An account of the manager, or a buffer, was closed.
#[event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountClosed {
    /// What it was.
    pub kind: ClosedKind,
    /// Its address.
    pub account: Pubkey,
    /// The program it was for; all zero for a multisig and its proposals.
    pub program: Pubkey,
    /// Who got the rent.
    pub refund: Pubkey,
}
