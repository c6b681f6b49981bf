//! A multisig as the specification describes it: roles, valid rules, and the pause.
use std::collections::{BTreeMap, BTreeSet};

use super::{
    Faults,
    op::{EXECUTE, PROPOSE, Person, Rules, VOTE, ZERO},
};

const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;
/// Longest pause, seconds.
pub const PAUSE_SECONDS: i64 = 72 * HOUR as i64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multisig {
    pub rules: Rules,
    pub epoch: u64,
    /// Id of the next proposal.
    pub next: u64,
    /// Open proposals of every member.
    pub open: BTreeMap<Person, u8>,
    /// End of the pause.
    pub paused_until: i64,
    /// Earliest time of the guardian's next pause.
    pub pause_again: i64,
    /// Members who voted to end the pause.
    pub unpause: BTreeSet<Person>,
    /// Number of registered programs.
    pub programs: u32,
    pub dissolved: bool,
}

impl Multisig {
    pub fn new(rules: Rules, epoch: u64) -> Self {
        let open = rules.members.iter().map(|(who, _)| (*who, 0)).collect();
        Self {
            rules,
            epoch,
            next: 0,
            open,
            paused_until: 0,
            pause_again: 0,
            unpause: BTreeSet::new(),
            programs: 0,
            dissolved: false,
        }
    }

    /// The roles of `who`, `None` for a stranger.
    pub fn roles(&self, who: Person) -> Option<u8> {
        self.rules.members.iter().find(|(m, _)| *m == who).map(|(_, roles)| *roles)
    }

    /// Whether `who` is a voter now.
    pub fn votes(&self, who: Person) -> bool {
        self.roles(who).is_some_and(|roles| roles & VOTE != 0)
    }

    /// How many of `people` are voters now.
    pub fn voters_among<'a>(&self, people: impl IntoIterator<Item = &'a Person>) -> usize {
        people.into_iter().filter(|who| self.votes(**who)).count()
    }

    /// Whether `votes` reaches the threshold.
    pub fn decides(&self, votes: usize) -> bool {
        votes >= usize::from(self.rules.threshold)
    }

    /// Number of voters.
    pub fn voters(&self) -> usize {
        self.rules.voters()
    }

    /// The rule that `who` has `role`.
    pub fn demand(&self, f: &mut Faults, who: Person, role: u8) {
        match self.roles(who) {
            None => f.unless(false, "NotAMember"),
            Some(roles) => f.unless(roles & role != 0, "RoleMissing"),
        }
    }

    /// Whether `who` is the guardian.
    pub fn is_guardian(&self, who: Person) -> bool {
        self.rules.guardian == Some(who)
    }

    /// Whether the pause lasts at `now`.
    pub fn paused(&self, now: i64) -> bool {
        now < self.paused_until
    }

    /// Takes an ended proposal off the open ones of `who`.
    pub fn end(&mut self, who: Person) {
        if let Some(open) = self.open.get_mut(&who) {
            *open = open.saturating_sub(1);
        }
    }

    /// Sets new rules and a new epoch, which makes every open proposal stale.
    pub fn change(&mut self, rules: Rules) {
        let open = &self.open;
        let kept = |who: &Person| (*who, open.get(who).copied().unwrap_or(0));
        self.open = rules.members.iter().map(|(who, _)| kept(who)).collect();
        self.rules = rules;
        self.epoch += 1;
        self.unpause.clear();
    }
}

impl Rules {
    /// Members that may vote.
    pub fn voters(&self) -> usize {
        self.with(VOTE)
    }

    fn with(&self, role: u8) -> usize {
        self.members.iter().filter(|(_, roles)| roles & role != 0).count()
    }

    /// Records every limit that these rules break.
    pub fn check(&self, f: &mut Faults) {
        let n = self.members.len();
        f.unless((1..=16).contains(&n), "MemberCount");
        let unique: BTreeSet<_> = self.members.iter().map(|(who, _)| who).collect();
        let sorted = unique.len() == n && (!self.unsorted || n < 2);
        f.unless(sorted, "MembersNotSortedUnique");
        f.unless(!unique.contains(&ZERO), "MemberIsZero");
        let known = PROPOSE | VOTE | EXECUTE;
        let roles = self.members.iter().all(|(_, r)| *r != 0 && r & !known == 0);
        f.unless(roles, "MemberRoles");
        let (voters, threshold) = (self.voters(), usize::from(self.threshold));
        f.unless(2 * threshold > voters && threshold <= voters, "Threshold");
        f.unless(self.with(PROPOSE) > 0, "NobodyProposes");
        f.unless(self.with(EXECUTE) > 0, "NobodyExecutes");
        f.unless(self.floor >= 48 * HOUR, "TimelockFloor");
        f.unless(self.timelock >= self.floor && self.timelock <= 90 * DAY, "Timelock");
        for window in [self.window, self.rollback_window] {
            f.unless((HOUR..=90 * DAY).contains(&window), "Window");
        }
        f.unless((1..=16).contains(&self.open_cap), "OpenCap");
        f.unless(self.treasury != ZERO, "TreasuryIsZero");
        if let Some(guardian) = self.guardian {
            f.unless(guardian != ZERO && !unique.contains(&guardian), "GuardianIsMember");
        }
    }

    /// Whether nothing but the guardian differs.
    pub fn only_guardian_differs(&self, other: &Self) -> bool {
        let mut same = other.clone();
        same.guardian = self.guardian;
        same.members.sort();
        let mut own = self.clone();
        own.members.sort();
        same == own
    }
}
