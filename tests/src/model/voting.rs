//! The life that every proposal has: votes, timelock, window, end. The same for upgrades and for
//! changes of a multisig.
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Faults,
    multisig::Multisig,
    op::{Action, BufferId, Code, MultisigId, Person, Pid, Scope, VOTE, VaultId},
    program::Content,
};

/// Where a proposal stands; spelled as on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    Active,
    Timelocked,
    Executed,
    Migrating,
    Completed,
    Rejected,
    Cancelled,
    Expired,
    RolledBack,
    Superseded,
}

impl Status {
    /// Whether votes count.
    pub fn is_voting(self) -> bool {
        matches!(self, Self::Active | Self::Timelocked)
    }

    /// Whether its code runs.
    pub fn executed(self) -> bool {
        matches!(self, Self::Executed | Self::Migrating | Self::Completed)
    }
}

/// The clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Chain time, seconds.
    pub time: i64,
    /// Slot.
    pub slot: u64,
}

/// What every proposal has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VotingModel {
    /// Who decides.
    pub multisig: MultisigId,
    /// In which epoch.
    pub epoch: u64,
    /// Where it stands.
    pub status: Status,
    /// Who proposed.
    pub proposer: Person,
    /// When.
    pub proposed_at: i64,
    /// Nobody executes later.
    pub expires_at: i64,
    /// Who approved (true) or rejected, and when.
    pub votes: BTreeMap<Person, (bool, i64)>,
    /// Who wants to cancel.
    pub cancel: BTreeSet<Person>,
    /// Time and slot of the deciding approval, 0 before.
    pub approved: (i64, u64),
    /// Earliest execution.
    pub eta: i64,
    /// Latest.
    pub window_end: i64,
    /// Time and slot of execution.
    pub executed: (i64, u64),
}

impl VotingModel {
    /// A new proposal.
    pub fn new(
        (multisig, epoch): (MultisigId, u64),
        proposer: Person,
        expires_at: i64,
        now: Now,
    ) -> Self {
        Self {
            multisig,
            epoch,
            status: Status::Active,
            proposer,
            proposed_at: now.time,
            expires_at,
            votes: BTreeMap::new(),
            cancel: BTreeSet::new(),
            approved: (0, 0),
            eta: 0,
            window_end: 0,
            executed: (0, 0),
        }
    }

    /// Last time at which something can still come of it.
    pub fn deadline(&self) -> i64 {
        if self.status == Status::Timelocked { self.window_end } else { self.expires_at }
    }

    /// A vote may come in.
    pub fn demand_vote(&self, f: &mut Faults, multisig: &Multisig, by: Person, now: Now) {
        multisig.demand(f, by, VOTE);
        f.unless(self.status.is_voting(), "NotVoting");
        f.unless(now.time <= self.deadline(), "Expired");
        f.unless(self.epoch == multisig.epoch, "StaleProposal");
    }

    /// Votes in the balance.
    pub fn weigh(&mut self, multisig: &Multisig, now: Now) {
        let ayes = self.votes.values().filter(|(aye, _)| *aye).count();
        let noes = self.votes.len() - ayes;
        if multisig.decides(ayes) {
            if self.status == Status::Active {
                self.status = Status::Timelocked;
                self.approved = (now.time, now.slot);
                self.eta = now.time + i64::from(multisig.rules.timelock);
                let end = self.eta + i64::from(multisig.rules.window);
                self.window_end = end.min(self.expires_at);
            }
        } else if !multisig.decides(multisig.voters().saturating_sub(noes)) {
            self.status = Status::Rejected;
        } else if self.status == Status::Timelocked {
            self.status = Status::Active;
            (self.approved, self.eta, self.window_end) = ((0, 0), 0, 0);
        }
    }

    /// First slot in which the timelock can be over.
    pub fn slot_floor(&self, multisig: &Multisig) -> u64 {
        self.approved.1 + u64::from(multisig.rules.timelock) * 5 / 4
    }

    /// It may be executed.
    pub fn demand_ready(&self, f: &mut Faults, multisig: &Multisig, now: Now) {
        f.unless(self.status == Status::Timelocked, "NotTimelocked");
        f.unless(now.time >= self.eta, "TimelockNotOver");
        f.unless(now.slot >= self.slot_floor(multisig), "TooFewSlots");
        f.unless(now.time <= self.window_end, "Expired");
        f.unless(self.epoch == multisig.epoch, "StaleProposal");
    }
}

/// One ELF in one buffer, as a proposal names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The buffer.
    pub buffer: BufferId,
    /// What it holds.
    pub code: Code,
}

/// A proposal to upgrade a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// Its life.
    pub voting: VotingModel,
    /// Replaces an upgrade that is not complete.
    pub forward: bool,
    /// New code.
    pub upgrade: Pinned,
    /// The way back.
    pub rollback: Pinned,
    /// Version before.
    pub from: u16,
    /// Oldest version that migrates.
    pub oldest: u16,
    /// Version after.
    pub to: u16,
    /// Which accounts.
    pub scope: Scope,
    /// What was seen at planning.
    pub manifest: Vec<(VaultId, Content)>,
    /// Gets surplus lamports.
    pub spill: Person,
    /// Until then rollback can be voted.
    pub rollback_until: i64,
    /// When rollback was decided, 0 before.
    pub rollback_at: i64,
    /// Who wants to go back, and to give up what cannot.
    pub back: BTreeMap<Person, bool>,
}

impl Upgrade {
    /// Nothing can come of it any more: it and what is its can be closed.
    pub fn ended(&self, now: Now) -> bool {
        match self.voting.status {
            Status::Completed => self.rollback_at == 0 && now.time > self.rollback_until,
            Status::Rejected
            | Status::Cancelled
            | Status::Expired
            | Status::RolledBack
            | Status::Superseded => true,
            Status::Active | Status::Timelocked | Status::Executed | Status::Migrating => false,
        }
    }

    /// Whether an account at `version` may migrate.
    pub fn takes(&self, version: u16) -> bool {
        matches!(self.scope, Scope::Vaults | Scope::Critical)
            && (self.oldest..=self.from).contains(&version)
    }

    /// Rollback was decided and is not done.
    pub fn demand_rolling_back(&self, f: &mut Faults) {
        f.unless(self.voting.status.executed(), "NotExecuted");
        f.unless(self.rollback_at != 0, "RollbackNotApproved");
    }
}

/// A proposal to change a multisig, or who holds a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultisigChange {
    /// Its life.
    pub voting: VotingModel,
    /// What it does.
    pub action: Action,
}

/// Either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// Of code.
    Upgrade(Upgrade),
    /// Of a multisig.
    Multisig(MultisigChange),
}

impl Proposal {
    /// Its life.
    pub fn voting(&self) -> &VotingModel {
        match self {
            Self::Upgrade(p) => &p.voting,
            Self::Multisig(p) => &p.voting,
        }
    }

    /// Its life, to be changed.
    pub fn course_mut(&mut self) -> &mut VotingModel {
        match self {
            Self::Upgrade(p) => &mut p.voting,
            Self::Multisig(p) => &mut p.voting,
        }
    }
}

/// The program whose slot of open proposals `id` takes.
pub fn program_of(id: Pid, proposal: &Proposal) -> Option<u8> {
    match (id, proposal) {
        (Pid::Upgrade(program, ..), _) => Some(program),
        (_, Proposal::Multisig(MultisigChange { action: Action::Transfer(program, _), .. })) => {
            Some(*program)
        }
        _ => None,
    }
}
