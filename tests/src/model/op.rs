//! Operations in plain numbers: every instruction of the manager, what the target's users do, and
//! the clock. An operation means the same at every place of a sequence, so a failing sequence can
//! be shrunk by leaving operations out, and stored as text. Longer than 400 lines, because the list
//! of instructions and their names belong together.
use serde::{Deserialize, Serialize};

/// A person, as an index into [`PEOPLE`].
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
/// The second guardian.
pub const SECOND_GUARD: Person = 8;
/// A person without a role.
pub const STRANGER: Person = 9;
/// Pays for the accounts that a member creates.
pub const PAYER: Person = 10;
/// Holds the programs' upgrade authority before registration, and uploads buffers.
pub const DEV: Person = 11;
/// Sends the migrations.
pub const CRANKER: Person = 12;
/// Receives a program's upgrade authority by a transfer.
pub const NOVA: Person = 13;
/// Gets the surplus lamports.
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

/// Bit of the roles of a member: may propose.
pub const PROPOSE: u8 = 1;
/// May vote.
pub const VOTE: u8 = 2;
/// May execute.
pub const EXECUTE: u8 = 4;

/// The code in a buffer or a program.
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

/// A buffer's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// New code.
    Upgrade,
    /// A copy of the running code.
    Rollback,
}

/// A proposal's address. The account may not exist yet or any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Pid {
    /// An upgrade of a program.
    Upgrade(ProgramId, MultisigId, u64),
    /// A change of a multisig.
    Multisig(MultisigId, u64),
}

/// The rules of a multisig.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rules {
    /// Approvals that start the timelock.
    pub threshold: u8,
    /// Open proposals that a member may have.
    pub open_cap: u8,
    /// Whether votes with a durable nonce count.
    pub durable: bool,
    /// The timelock's floor, in seconds.
    pub floor: u32,
    /// The timelock, in seconds.
    pub timelock: u32,
    /// The execution window, in seconds.
    pub window: u32,
    /// The rollback window, in seconds.
    pub rollback_window: u32,
    /// Gets the surplus lamports.
    pub treasury: Person,
    /// The guardian.
    pub guardian: Option<Person>,
    /// Members with their roles; sorted by address when sent to the chain.
    pub members: Vec<(Person, u8)>,
    /// Whether members are sent in descending order of address, which the chain refuses.
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
    /// An invalid type rule.
    Unsound,
}

/// The arguments of `propose_upgrade`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// Version after.
    pub to: u16,
    /// Oldest version that may migrate.
    pub oldest: u16,
    /// The accounts to migrate.
    pub scope: Scope,
    /// Whether the vaults that exist are in the manifest.
    pub manifest: bool,
    /// Chain time of expiry.
    pub expires_at: i64,
    /// Whether it is a roll-forward, which replaces an unfinished upgrade.
    pub forward: bool,
}

/// The action of a proposal about a multisig.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// New rules.
    Change(Rules),
    /// Transfers a program's upgrade authority.
    Transfer(ProgramId, Person),
    /// Dissolves the multisig.
    Dissolve,
}

/// How an account is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum How {
    /// From its old bytes.
    Bytes,
    /// From wrong bytes.
    WrongBytes,
    /// By the target's own migration down.
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
    /// The owner makes a deposit.
    Deposit { vault: VaultId },
    /// Somebody uploads a buffer; `given`: its authority is set to the manager's address without
    /// freezing.
    Upload { buffer: BufferId, code: Code, by: Person, given: Option<ProgramId> },
    /// An instruction of the manager.
    Call { call: Call, twist: Option<Twist> },
}

/// A defect in a call's accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Twist {
    /// Another account at this position.
    Swap { at: u8, with: Thing },
    /// A signature is missing.
    Unsigned,
}

/// An account that replaces the right one.
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
    /// The manager's address that holds a program's authority.
    Authority(ProgramId),
    /// A person's address.
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

    /// The member who signs, when the rules depend on it.
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
