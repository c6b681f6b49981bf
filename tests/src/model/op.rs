//! What somebody does, in plain numbers: every instruction of the manager, what the target's users
//! do, and the clock. An operation means the same wherever it stands in a sequence, so that a failing
//! sequence can be shortened by leaving operations out, and kept as text.
use serde::{Deserialize, Serialize};

/// Somebody, as an index into [`PEOPLE`].
pub type Person = u8;
/// A multisig, by the key that makes it.
pub type MultisigId = u8;
/// A program: [`VAULTS`], [`OTHER`].
pub type ProgramId = u8;
/// A buffer.
pub type BufferId = u8;
/// One of the owner's vaults.
pub type VaultId = u8;

/// Everybody. The first [`POOL`] can be members.
pub const PEOPLE: [&str; 16] = [
    "anna",
    "ben",
    "chloe",
    "dan",
    "eve",
    "fay",
    "gus",
    "guard",
    "second-guard",
    "stranger",
    "payer",
    "dev",
    "cranker",
    "nova",
    "treasury",
    "second-treasury",
];
/// How many people can be members.
pub const POOL: u8 = 7;
/// The first guardian.
pub const GUARD: Person = 7;
/// Another one.
pub const SECOND_GUARD: Person = 8;
/// Nobody of the multisig.
pub const STRANGER: Person = 9;
/// Pays for what a member makes.
pub const PAYER: Person = 10;
/// Has the programs before the manager does, and uploads buffers.
pub const DEV: Person = 11;
/// Migrates.
pub const CRANKER: Person = 12;
/// Gets a program by transfer.
pub const NOVA: Person = 13;
/// Gets surplus lamports.
pub const TREASURY: Person = 14;
/// The key that is all zero.
pub const ZERO: Person = 255;

/// The program whose accounts migrate.
pub const VAULTS: ProgramId = 0;
/// A program without accounts, run by the same or another multisig.
pub const OTHER: ProgramId = 1;
/// How many programs there are.
pub const PROGRAMS: u8 = 2;
/// How many multisigs there can be.
pub const MULTISIGS: u8 = 2;
/// How many vaults the owner can have.
pub const VAULT_COUNT: u8 = 4;
/// How many buffers there can be.
pub const BUFFERS: u8 = 12;

/// Bit of [`crate::model::multisig::Member::roles`]: may propose.
pub const PROPOSE: u8 = 1;
/// May vote.
pub const VOTE: u8 = 2;
/// May execute.
pub const EXECUTE: u8 = 4;

/// What a buffer or a program holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Code {
    /// A build for the first layout; builds with different salt differ in their last byte only.
    First(u8),
    /// A build for the second layout.
    Second(u8),
    /// The same, padded beyond what one transaction can hash.
    Large(u8),
    /// The first layout's build without its last bytes.
    Cut,
    /// Not an ELF.
    Junk,
}

/// What a buffer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// New code.
    Upgrade,
    /// What runs.
    Rollback,
}

/// The proposal at one address; it may not exist yet or any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Pid {
    /// An upgrade of a program.
    Upgrade(ProgramId, MultisigId, u64),
    /// A change of a multisig.
    Multisig(MultisigId, u64),
}

/// What a multisig agrees on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rules {
    /// Approvals that lock a proposal.
    pub threshold: u8,
    /// Open proposals a member.
    pub open_cap: u8,
    /// Whether durable-nonce votes count.
    pub durable: bool,
    /// Seconds below which the timelock never falls.
    pub floor: u32,
    /// Seconds of timelock.
    pub timelock: u32,
    /// Seconds in which execution is possible.
    pub window: u32,
    /// Seconds in which rollback can be voted.
    pub rollback_window: u32,
    /// Gets surplus lamports.
    pub treasury: Person,
    /// May veto, pause and roll back.
    pub guardian: Option<Person>,
    /// Who, with which roles; sorted by address on the way to the chain.
    pub members: Vec<(Person, u8)>,
    /// Sent in falling order of address instead.
    pub unsorted: bool,
}

/// Which accounts an upgrade migrates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// None.
    Nothing,
    /// Vaults.
    Vaults,
    /// Vaults, each backed up on chain.
    Critical,
    /// A rule that cannot be.
    Unsound,
}

/// What the proposer of an upgrade chooses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// Version after.
    pub to: u16,
    /// Oldest version that may migrate.
    pub oldest: u16,
    /// Which accounts.
    pub scope: Scope,
    /// Whether the vaults that exist are in the manifest.
    pub manifest: bool,
    /// Chain time of expiry.
    pub expires_at: i64,
    /// Replaces an upgrade that is not complete.
    pub forward: bool,
}

/// What a multisig proposal does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Other rules.
    Change(Rules),
    /// A program gets another authority.
    Transfer(ProgramId, Person),
    /// The multisig ends.
    Dissolve,
}

/// How an account comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum How {
    /// By its old bytes.
    Bytes,
    /// By other bytes.
    WrongBytes,
    /// By the target's computation.
    Down,
    /// From its backup.
    Backup,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Op {
    /// The clock moves; so do slots.
    Pass { seconds: i64, slots: u64 },
    /// The owner opens a vault.
    Open { vault: VaultId },
    /// The owner closes a vault.
    Close { vault: VaultId },
    /// The owner pays in.
    Deposit { vault: VaultId },
    /// Somebody uploads a buffer; given: its authority is the program's address at once.
    Upload { buffer: BufferId, code: Code, by: Person, given: Option<ProgramId> },
    /// An instruction of the manager.
    Call { call: Call, twist: Option<Twist> },
}

/// What is wrong about a call beyond what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Twist {
    /// Another account in this place.
    Swap { at: u8, with: Thing },
    /// A signature is missing.
    Unsigned,
}

/// An account to be put where it does not belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Thing {
    /// A multisig.
    Multisig(MultisigId),
    /// A program's state.
    State(ProgramId),
    /// A proposal.
    Proposal(Pid),
    /// A buffer.
    Buffer(BufferId),
    /// A buffer's attestation.
    Attestation(BufferId),
    /// A vault.
    Vault(VaultId),
    /// A vault's record.
    Record(VaultId),
    /// A program.
    Program(ProgramId),
    /// A program's code.
    ProgramData(ProgramId),
    /// The address that holds a program.
    Authority(ProgramId),
    /// Somebody.
    Person(Person),
    /// The rent sysvar.
    Sysvar,
}

/// An instruction of the manager.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Call {
    CreateMultisig {
        multisig: MultisigId,
        rules: Rules,
    },
    Register {
        program: ProgramId,
        multisig: MultisigId,
        by: Person,
        version: u16,
    },
    Freeze {
        buffer: BufferId,
        program: ProgramId,
        by: Person,
        role: Role,
    },
    Attest {
        buffer: BufferId,
        program: ProgramId,
        exact: bool,
    },
    AttestChunk {
        buffer: BufferId,
        program: ProgramId,
        exact: bool,
    },
    AttestRollback {
        buffer: BufferId,
        program: ProgramId,
        exact: bool,
    },
    Reclaim {
        buffer: BufferId,
        program: ProgramId,
        by: Person,
    },
    Propose {
        program: ProgramId,
        by: Person,
        upgrade: BufferId,
        rollback: BufferId,
        plan: Plan,
    },
    ProposeMultisig {
        multisig: MultisigId,
        by: Person,
        action: Action,
        expires_at: i64,
        long_note: bool,
    },
    Vote {
        on: Pid,
        by: Person,
        approve: bool,
        digest: bool,
        durable: bool,
    },
    Revoke {
        on: Pid,
        by: Person,
        durable: bool,
    },
    Cancel {
        on: Pid,
        by: Person,
        durable: bool,
    },
    Expire {
        on: Pid,
    },
    Execute {
        on: Pid,
        by: Person,
    },
    ExecuteConfig {
        on: Pid,
        by: Person,
    },
    ExecuteTransfer {
        on: Pid,
        by: Person,
        to: Person,
    },
    Pause {
        multisig: MultisigId,
        by: Person,
    },
    Unpause {
        multisig: MultisigId,
        by: Person,
        durable: bool,
    },
    Migrate {
        on: Pid,
        by: Person,
        vaults: Vec<VaultId>,
    },
    Verify {
        on: Pid,
        vaults: Vec<VaultId>,
    },
    MarkClosed {
        on: Pid,
        by: Person,
        vault: VaultId,
        proof: VaultId,
    },
    Quarantine {
        on: Pid,
        by: Person,
        vault: VaultId,
    },
    Complete {
        on: Pid,
        by: Person,
    },
    VoteBack {
        on: Pid,
        by: Person,
        give_up: bool,
        digest: bool,
        durable: bool,
    },
    Restore {
        on: Pid,
        by: Person,
        vaults: Vec<(VaultId, How)>,
    },
    RollBack {
        on: Pid,
        by: Person,
    },
    CloseBuffer {
        buffer: BufferId,
        by: Person,
    },
    CloseProposal {
        on: Pid,
        by: Person,
    },
    CloseRecord {
        program: ProgramId,
        vault: VaultId,
        by: Person,
    },
    CloseBackup {
        program: ProgramId,
        vault: VaultId,
        by: Person,
    },
    CloseState {
        program: ProgramId,
        by: Person,
    },
    CloseMultisig {
        multisig: MultisigId,
        by: Person,
    },
}

impl Call {
    /// The instruction's name, as in the manager's table of contents.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateMultisig { .. } => "create_multisig",
            Self::Register { .. } => "register_program",
            Self::Freeze { .. } => "freeze_buffer",
            Self::Attest { .. } => "attest_buffer",
            Self::AttestChunk { .. } => "attest_chunk",
            Self::AttestRollback { .. } => "attest_rollback",
            Self::Reclaim { .. } => "reclaim_buffer",
            Self::Propose { .. } => "propose_upgrade",
            Self::ProposeMultisig { .. } => "propose_governance",
            Self::Vote { approve: true, .. } => "approve",
            Self::Vote { .. } => "reject",
            Self::Revoke { .. } => "revoke",
            Self::Cancel { .. } => "cancel",
            Self::Expire { .. } => "expire",
            Self::Execute { .. } => "execute_upgrade",
            Self::ExecuteConfig { .. } => "execute_config_change",
            Self::ExecuteTransfer { .. } => "execute_transfer",
            Self::Pause { .. } => "pause",
            Self::Unpause { .. } => "unpause",
            Self::Migrate { .. } => "migrate_accounts",
            Self::Verify { .. } => "verify_accounts",
            Self::MarkClosed { .. } => "mark_closed",
            Self::Quarantine { .. } => "quarantine",
            Self::Complete { .. } => "complete",
            Self::VoteBack { .. } => "approve_rollback",
            Self::Restore { .. } => "restore_accounts",
            Self::RollBack { .. } => "rollback_program",
            Self::CloseBuffer { .. } => "close_buffer",
            Self::CloseProposal { on: Pid::Upgrade(..), .. } => "close_proposal",
            Self::CloseProposal { .. } => "close_governance",
            Self::CloseRecord { .. } => "close_account_version",
            Self::CloseBackup { .. } => "close_backup",
            Self::CloseState { .. } => "close_program_state",
            Self::CloseMultisig { .. } => "close_multisig",
        }
    }

    /// Who signs for it, where it matters who.
    pub fn actor(&mut self) -> Option<&mut Person> {
        match self {
            Self::Register { by, .. }
            | Self::Freeze { by, .. }
            | Self::Reclaim { by, .. }
            | Self::Propose { by, .. }
            | Self::ProposeMultisig { by, .. }
            | Self::Vote { by, .. }
            | Self::Revoke { by, .. }
            | Self::Cancel { by, .. }
            | Self::Execute { by, .. }
            | Self::ExecuteConfig { by, .. }
            | Self::ExecuteTransfer { by, .. }
            | Self::Pause { by, .. }
            | Self::Unpause { by, .. }
            | Self::Migrate { by, .. }
            | Self::MarkClosed { by, .. }
            | Self::Quarantine { by, .. }
            | Self::Complete { by, .. }
            | Self::VoteBack { by, .. }
            | Self::Restore { by, .. }
            | Self::RollBack { by, .. }
            | Self::CloseBuffer { by, .. }
            | Self::CloseProposal { by, .. }
            | Self::CloseRecord { by, .. }
            | Self::CloseBackup { by, .. }
            | Self::CloseState { by, .. }
            | Self::CloseMultisig { by, .. } => Some(by),
            Self::CreateMultisig { .. }
            | Self::Attest { .. }
            | Self::AttestChunk { .. }
            | Self::AttestRollback { .. }
            | Self::Expire { .. }
            | Self::Verify { .. } => None,
        }
    }
}
