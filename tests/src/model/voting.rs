//! The proposals of the reference model: what every proposal has (votes, timelock, execution window,
//! status), and what an upgrade and a change of a multisig have besides. The rules are written again
//! here, not called in the manager, so that a mistake in the manager shows as a difference.
//!
//! `demand_…` notes in [`Faults`] every rule that an operation breaks, under the name of the manager's
//! error.
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Faults,
    multisig::Multisig,
    op::{Action, BufferId, Code, MultisigId, Person, Pid, Scope, VOTE, VaultId},
    program::Content,
};

/// A proposal's status, with the names of the chain.
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

    /// Whether the upgrade was executed and not rolled back or superseded.
    pub fn executed(self) -> bool {
        matches!(self, Self::Executed | Self::Migrating | Self::Completed)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Chain time, seconds.
    pub time: i64,
    pub slot: u64,
}

/// The part that every proposal has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VotingModel {
    pub multisig: MultisigId,
    /// The multisig's epoch when it was proposed. A later epoch makes the proposal stale.
    pub epoch: u64,
    pub status: Status,
    pub proposer: Person,
    pub proposed_at: i64,
    /// Last time of an execution.
    pub expires_at: i64,
    /// Each vote: whether it approves, and its time.
    pub votes: BTreeMap<Person, (bool, i64)>,
    /// Members who voted to cancel.
    pub cancel: BTreeSet<Person>,
    /// Time and slot of the approval that reached the threshold, 0 before.
    pub approved: (i64, u64),
    /// Earliest execution.
    pub eta: i64,
    /// End of the execution window.
    pub window_end: i64,
    /// Time and slot of execution.
    pub executed: (i64, u64),
}

impl VotingModel {
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

    /// The time after which the proposal can be expired.
    pub fn deadline(&self) -> i64 {
        if self.status == Status::Timelocked { self.window_end } else { self.expires_at }
    }

    /// The rules for a vote by `by`.
    pub fn demand_vote(&self, f: &mut Faults, multisig: &Multisig, by: Person, now: Now) {
        multisig.demand(f, by, VOTE);
        f.unless(self.status.is_voting(), "NotVoting");
        f.unless(now.time <= self.deadline(), "Expired");
        f.unless(self.epoch == multisig.epoch, "StaleProposal");
    }

    /// Sets the status that follows from the votes. The proposal is rejected once the voters who have
    /// not rejected it are fewer than the threshold.
    pub fn recount(&mut self, multisig: &Multisig, now: Now) {
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

    /// First slot in which the timelock can be over: five slots for every four seconds, which is 800 ms
    /// a slot, however fast the validators let the chain's clock run.
    pub fn slot_floor(&self, multisig: &Multisig) -> u64 {
        self.approved.1 + u64::from(multisig.rules.timelock) * 5 / 4
    }

    /// The rules for an execution.
    pub fn demand_ready(&self, f: &mut Faults, multisig: &Multisig, now: Now) {
        f.unless(self.status == Status::Timelocked, "NotTimelocked");
        f.unless(now.time >= self.eta, "TimelockNotOver");
        f.unless(now.slot >= self.slot_floor(multisig), "TooFewSlots");
        f.unless(now.time <= self.window_end, "Expired");
        f.unless(self.epoch == multisig.epoch, "StaleProposal");
    }
}

/// A buffer and the code that the proposal pinned in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pinned {
    pub buffer: BufferId,
    pub code: Code,
}

/// A proposal to upgrade a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// Votes, times and status.
    pub voting: VotingModel,
    /// Whether it is a roll-forward, which replaces an unfinished upgrade.
    pub forward: bool,
    pub upgrade: Pinned,
    /// The old code, for a rollback.
    pub rollback: Pinned,
    /// Version before.
    pub from: u16,
    /// Oldest version that migrates.
    pub oldest: u16,
    /// Version after.
    pub to: u16,
    /// The accounts to migrate.
    pub scope: Scope,
    /// The vaults in the manifest, with their content when the upgrade was proposed.
    pub manifest: Vec<(VaultId, Content)>,
    /// Gets the surplus lamports.
    pub spill: Person,
    /// End of the rollback window.
    pub rollback_until: i64,
    /// Time of the vote that approved the rollback, 0 before.
    pub rollback_at: i64,
    /// Votes for the rollback: member, and whether to give up accounts that cannot be restored.
    pub back: BTreeMap<Person, bool>,
}

impl Upgrade {
    /// Whether the proposal has ended, so that its accounts can be closed.
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

    /// The rules for a rollback that is approved and not finished.
    pub fn demand_rolling_back(&self, f: &mut Faults) {
        f.unless(self.voting.status.executed(), "NotExecuted");
        f.unless(self.rollback_at != 0, "RollbackNotApproved");
    }
}

/// A proposal to change a multisig, or who holds a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultisigChange {
    /// Votes, times and status.
    pub voting: VotingModel,
    pub action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal {
    Upgrade(Upgrade),
    Multisig(MultisigChange),
}

impl Proposal {
    /// Votes, times and status.
    pub fn voting(&self) -> &VotingModel {
        match self {
            Self::Upgrade(p) => &p.voting,
            Self::Multisig(p) => &p.voting,
        }
    }

    pub fn voting_mut(&mut self) -> &mut VotingModel {
        match self {
            Self::Upgrade(p) => &mut p.voting,
            Self::Multisig(p) => &mut p.voting,
        }
    }
}

/// The program whose `live` or `forward` field names `id` while the proposal is open. A transfer of a
/// program's authority is a proposal of the multisig that also takes `live`.
pub fn program_of(id: Pid, proposal: &Proposal) -> Option<u8> {
    match (id, proposal) {
        (Pid::Upgrade(program, ..), _) => Some(program),
        (_, Proposal::Multisig(MultisigChange { action: Action::Transfer(program, _), .. })) => {
            Some(*program)
        }
        _ => None,
    }
}
