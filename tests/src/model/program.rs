//! Programs, buffers and accounts as the specification describes them.
use super::op::{Code, MultisigId, Person, Pid, ProgramId, Role};

/// The authority of a program or a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The manager's authority of this program.
    Manager(ProgramId),
    Person(Person),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Steady,
    Migrating,
    RollingBack,
    Released,
}

/// Records by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub total: u32,
    pub migrated: u32,
    pub verified: u32,
    pub restored: u32,
    pub quarantined: u32,
    pub closed: u32,
}

/// A program's state in the manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub multisig: MultisigId,
    pub version: u16,
    /// The code whose hash the manager knows as running; `None` while no attestation has confirmed
    /// it.
    pub known: Option<Code>,
    pub previous_version: u16,
    pub previous: Option<Code>,
    pub phase: Phase,
    pub live: Option<Pid>,
    pub forward: Option<Pid>,
    pub last: Option<Pid>,
    pub executed_slot: u64,
    pub executed_at: i64,
    pub counters: Counters,
}

/// A program: its loader accounts and the manager's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The running code.
    pub code: Code,
    /// Its upgrade authority.
    pub holder: Holder,
    /// Slot of its last deployment.
    pub deployed: u64,
    /// The manager's state, when registered.
    pub state: Option<State>,
}

/// A buffer on the loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    pub code: Code,
    pub holder: Holder,
}

/// The manager's attestation of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attestation {
    pub program: ProgramId,
    pub role: Role,
    /// The buffer's content when it was frozen.
    pub code: Code,
    pub chunks: u32,
    pub attested: bool,
    pub proposal: Option<Pid>,
    pub refund: Person,
}

/// A vault's content. Vaults of equal content have equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    pub layout: u16,
    pub deposits: u64,
    /// Only the second layout has it.
    pub changed_at: i64,
}

impl Content {
    pub fn new(layout: u16) -> Self {
        Self { layout, deposits: 0, changed_at: 0 }
    }

    /// Migrated to the second layout.
    pub fn up(self) -> Self {
        Self { layout: 2, changed_at: 0, ..self }
    }

    /// Restored to the first layout.
    pub fn down(self) -> Self {
        Self { layout: 1, changed_at: 0, ..self }
    }
}

/// The status of an account's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Pending,
    Migrated,
    Verified,
    Restored,
    Quarantined,
    Closed,
}

/// The record of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub standing: Standing,
    pub version: u16,
    pub previous_version: u16,
    /// The proposal that touched it last, and the slot of that one's execution.
    pub by: Option<(Pid, u64)>,
    pub old: Option<Content>,
    pub new: Option<Content>,
    pub touched: bool,
    pub rent_payer: Option<Person>,
    pub payer: Person,
}

impl Record {
    /// The record's status under the proposal that was executed in `slot`.
    pub fn under(&self, id: Pid, slot: u64) -> Standing {
        if self.by == Some((id, slot)) { self.standing } else { Standing::Pending }
    }
}

/// A copy of an account on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    pub by: Pid,
    pub content: Content,
    pub payer: Person,
}

impl Counters {
    fn of(&mut self, standing: Standing) -> Option<&mut u32> {
        match standing {
            Standing::Pending => None,
            Standing::Migrated => Some(&mut self.migrated),
            Standing::Verified => Some(&mut self.verified),
            Standing::Restored => Some(&mut self.restored),
            Standing::Quarantined => Some(&mut self.quarantined),
            Standing::Closed => Some(&mut self.closed),
        }
    }

    /// Counts an account under `to` instead of `from`.
    pub fn shift(&mut self, from: Standing, to: Standing) {
        if let Some(n) = self.of(from) {
            *n -= 1;
        }
        if let Some(n) = self.of(to) {
            *n += 1;
        }
    }

    /// Whether every account is accounted for.
    pub fn complete(&self) -> bool {
        self.migrated == 0 && self.verified + self.quarantined + self.closed >= self.total
    }

    /// Accounts on the new layout.
    pub fn moved(&self) -> u32 {
        self.migrated + self.verified
    }
}
