//! Programs, buffers and accounts as the specification describes them.
use super::op::{Code, MultisigId, Person, Pid, ProgramId, Role};

/// Who can change a program or a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The manager, for this program.
    Manager(ProgramId),
    /// Somebody.
    Person(Person),
}

/// What is happening to a program.
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
    /// What runs, `None` while nobody has hashed it.
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

/// A program on the loader, and in the manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What runs.
    pub code: Code,
    /// Who can change it.
    pub holder: Holder,
    /// Slot of its last deployment.
    pub deployed: u64,
    /// What the manager knows of it.
    pub state: Option<State>,
}

/// A buffer on the loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    pub code: Code,
    pub holder: Holder,
}

/// What the manager knows of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attestation {
    pub program: ProgramId,
    pub role: Role,
    /// What the buffer held when it was frozen.
    pub code: Code,
    pub chunks: u32,
    pub attested: bool,
    pub proposal: Option<Pid>,
    pub refund: Person,
}

/// What a vault holds; two equal ones have equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    pub layout: u16,
    pub deposits: u64,
    /// Only the second layout has it.
    pub changed_at: i64,
}

impl Content {
    /// A new vault.
    pub fn new(layout: u16) -> Self {
        Self { layout, deposits: 0, changed_at: 0 }
    }

    /// On the second layout.
    pub fn up(self) -> Self {
        Self { layout: 2, changed_at: 0, ..self }
    }

    /// On the first layout.
    pub fn down(self) -> Self {
        Self { layout: 1, changed_at: 0, ..self }
    }
}

/// Where an account stands.
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
    /// Where the account stands under the proposal executed in `slot`.
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

    /// One account moves.
    pub fn shift(&mut self, from: Standing, to: Standing) {
        if let Some(n) = self.of(from) {
            *n -= 1;
        }
        if let Some(n) = self.of(to) {
            *n += 1;
        }
    }

    /// Whether nothing is left to do.
    pub fn complete(&self) -> bool {
        self.migrated == 0 && self.verified + self.quarantined + self.closed >= self.total
    }

    /// Accounts on the new layout.
    pub fn moved(&self) -> u32 {
        self.migrated + self.verified
    }
}
