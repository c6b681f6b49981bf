//! The team's instructions: creation, votes, changes of itself, pauses.
use super::{
    Events, Faults, Model,
    course::{Course, Proposal, Status, TeamChange, program_of},
    op::{Action, Call, EXECUTE, PROPOSE, Person, Pid, ProgramId, TeamId, VOTE},
    program::{Holder, Phase},
    team::{PAUSE, Team},
};

/// Longest time from proposal to expiry, seconds.
const MAX_LIFE: i64 = 180 * 24 * 3600;

impl Model {
    pub(crate) fn team_call(&mut self, call: &Call, f: &mut Faults) -> Events {
        match call {
            Call::CreateTeam { team, rules } => {
                rules.check(f);
                f.refuse_unless(!self.teams.contains_key(team));
                if f.stop() {
                    return vec![];
                }
                let mut rules = rules.clone();
                rules.members.sort();
                self.teams.insert(*team, Team::new(rules, self.now.slot));
                vec!["MultisigCreated"]
            }
            Call::ProposeTeam { team, by, action, expires_at, long_note } => {
                f.unless(!long_note, "NoteTooLong");
                self.propose_team(*team, *by, action, *expires_at, f)
            }
            Call::Vote { on, by, approve, digest, durable } => {
                f.unless(*digest, "DigestMismatch");
                let now = self.now;
                self.vote(*on, *by, *durable, f, |course, f| {
                    let same = course.votes.get(by).is_some_and(|(aye, _)| aye == approve);
                    f.unless(!same, "AlreadyVoted");
                    if !f.stop() {
                        course.votes.insert(*by, (*approve, now.time));
                    }
                });
                if f.stop() { vec![] } else { vec!["VoteCast"] }
            }
            Call::Revoke { on, by, durable } => {
                self.vote(*on, *by, *durable, f, |course, f| {
                    f.unless(course.votes.contains_key(by), "NoVote");
                    if !f.stop() {
                        course.votes.remove(by);
                    }
                });
                if f.stop() { vec![] } else { vec!["VoteRevoked"] }
            }
            Call::Cancel { on, by, durable } => self.cancel(*on, *by, *durable, f),
            Call::Expire { on } => self.expire(*on, f),
            Call::ExecuteConfig { on, by } => self.execute_config(*on, *by, f),
            Call::ExecuteTransfer { on, by, to } => self.execute_transfer(*on, *by, *to, f),
            Call::Pause { team, by } => {
                let now = self.now.time;
                let Some(team) = self.teams.get_mut(team) else {
                    f.refuse();
                    return vec![];
                };
                f.unless(team.is_guardian(*by), "NotGuardian");
                f.unless(!team.dissolved, "Dissolved");
                f.unless(!team.paused(now), "Paused");
                f.unless(now >= team.pause_again, "PauseTooSoon");
                if f.stop() {
                    return vec![];
                }
                (team.paused_until, team.pause_again) = (now + PAUSE, now + 2 * PAUSE);
                team.unpause.clear();
                vec!["PauseChanged"]
            }
            Call::Unpause { team, by, durable } => {
                let now = self.now.time;
                let Some(team) = self.teams.get_mut(team) else {
                    f.refuse();
                    return vec![];
                };
                team.demand(f, *by, VOTE);
                f.unless(!durable || team.rules.durable, "DurableNonce");
                f.unless(team.paused(now), "NotPaused");
                f.unless(!team.unpause.contains(by), "AlreadyVoted");
                if f.stop() {
                    return vec![];
                }
                team.unpause.insert(*by);
                if team.decides(team.voters_among(&team.unpause)) {
                    team.paused_until = 0;
                    team.unpause.clear();
                }
                vec!["PauseChanged"]
            }
            _ => vec![],
        }
    }

    fn propose_team(
        &mut self,
        id: TeamId,
        by: Person,
        action: &Action,
        expires_at: i64,
        f: &mut Faults,
    ) -> Events {
        let now = self.now;
        let Some(team) = self.teams.get(&id) else {
            f.refuse();
            return vec![];
        };
        team.demand(f, by, PROPOSE);
        f.unless(!team.dissolved, "Dissolved");
        let life = expires_at - now.time;
        f.unless(life > i64::from(team.rules.timelock) && life <= MAX_LIFE, "ExpiryOutOfRange");
        let open = team.open.get(&by).copied().unwrap_or(0);
        f.unless(open < team.rules.open_cap, "TooManyOpen");
        match action {
            Action::Change(rules) => {
                rules.check(f);
                f.unless(rules.floor >= team.rules.floor, "TimelockFloor");
            }
            Action::Transfer(program, to) => match self.state(*program) {
                None => f.refuse(),
                Some(state) => {
                    f.unless(*to != super::op::ZERO, "NewAuthority");
                    f.refuse_unless(state.team == id);
                    f.unless(state.live.is_none() && state.forward.is_none(), "LiveProposal");
                    f.unless(state.phase == Phase::Steady, "NotSteady");
                }
            },
            Action::Dissolve => {}
        }
        let pid = Pid::Team(id, team.next);
        f.unless(!self.proposals.contains_key(&pid), "AddressTaken");
        if f.stop() {
            return vec![];
        }
        let course = Course::new((id, team.epoch), by, expires_at, now);
        let mut action = action.clone();
        if let Action::Change(rules) = &mut action {
            rules.members.sort();
        }
        if let Action::Transfer(program, _) = action
            && let Some(state) = self.state_mut(program)
        {
            state.live = Some(pid);
        }
        self.proposals.insert(pid, Proposal::Team(TeamChange { course, action }));
        self.count_proposal(id, by);
        vec!["GovernanceProposed"]
    }

    pub(crate) fn count_proposal(&mut self, team: TeamId, by: Person) {
        if let Some(team) = self.teams.get_mut(&team) {
            team.next += 1;
            *team.open.entry(by).or_default() += 1;
        }
    }

    /// The program that `id` is about, if any, is known.
    fn demand_known(&self, id: Pid, proposal: &Proposal, f: &mut Faults) {
        let program = program_of(id, proposal);
        f.refuse_unless(program.is_none_or(|program| self.state(program).is_some()));
    }

    /// Whether `id` still has its place.
    fn demand_live(&self, id: Pid, proposal: &Proposal, f: &mut Faults) {
        if let Some(program) = program_of(id, proposal) {
            let state = self.state(program);
            let live = state.is_some_and(|s| s.live == Some(id) || s.forward == Some(id));
            f.refuse_unless(live);
        }
    }

    fn vote(
        &mut self,
        id: Pid,
        by: Person,
        durable: bool,
        f: &mut Faults,
        change: impl FnOnce(&mut Course, &mut Faults),
    ) {
        let now = self.now;
        let Some(proposal) = self.proposals.get(&id) else { return f.refuse() };
        let Some(team) = self.teams.get(&proposal.course().team) else { return f.refuse() };
        f.unless(!durable || team.rules.durable, "DurableNonce");
        proposal.course().demand_vote(f, team, by, now);
        self.demand_live(id, proposal, f);
        let team = team.clone();
        let Some(proposal) = self.proposals.get_mut(&id) else { return };
        let course = proposal.course_mut();
        change(course, f);
        if f.stop() {
            return;
        }
        course.weigh(&team, now);
        if course.status == Status::Rejected {
            self.end(id);
        }
    }

    fn cancel(&mut self, id: Pid, by: Person, durable: bool, f: &mut Faults) -> Events {
        let Some(proposal) = self.proposals.get(&id) else {
            f.refuse();
            return vec![];
        };
        let course = proposal.course();
        let Some(team) = self.teams.get(&course.team) else {
            f.refuse();
            return vec![];
        };
        self.demand_known(id, proposal, f);
        f.unless(course.status.voting(), "NotVoting");
        f.unless(!durable || team.rules.durable, "DurableNonce");
        let withdrawn = by == course.proposer && course.votes.is_empty();
        let vetoed = !withdrawn && team.is_guardian(by);
        if vetoed {
            let own_chair = matches!(proposal, Proposal::Team(TeamChange { action: Action::Change(rules), .. })
                if rules.only_guardian_differs(&team.rules));
            f.unless(!own_chair, "GuardianCannotVeto");
        } else if !withdrawn {
            team.demand(f, by, VOTE);
            f.unless(!course.cancel.contains(&by), "AlreadyVoted");
        }
        if f.stop() {
            return vec![];
        }
        let mut cancel = course.cancel.clone();
        let mut ends = withdrawn || vetoed;
        if !ends {
            cancel.retain(|who| team.votes(*who));
            cancel.insert(by);
            ends = team.decides(cancel.len());
        }
        if let Some(proposal) = self.proposals.get_mut(&id) {
            proposal.course_mut().cancel = cancel;
            if ends {
                proposal.course_mut().status = Status::Cancelled;
                self.end(id);
            }
        }
        vec!["CancelRequested"]
    }

    fn expire(&mut self, id: Pid, f: &mut Faults) -> Events {
        let now = self.now.time;
        let Some(proposal) = self.proposals.get(&id) else {
            f.refuse();
            return vec![];
        };
        let course = proposal.course();
        self.demand_known(id, proposal, f);
        let Some(team) = self.teams.get(&course.team) else {
            f.refuse();
            return vec![];
        };
        let stale = team.epoch != course.epoch;
        f.unless(course.status.voting(), "NotVoting");
        f.unless(stale || now > course.deadline(), "NotExpired");
        if f.stop() {
            return vec![];
        }
        if let Some(proposal) = self.proposals.get_mut(&id) {
            proposal.course_mut().status = Status::Expired;
            self.end(id);
        }
        vec!["ProposalExpired"]
    }

    /// What every execution asks.
    pub(crate) fn demand_execution(&self, proposal: &Proposal, by: Person, f: &mut Faults) {
        let course = proposal.course();
        let Some(team) = self.teams.get(&course.team) else { return f.refuse() };
        team.demand(f, by, EXECUTE);
        course.demand_ready(f, team, self.now);
    }

    fn execute_config(&mut self, id: Pid, by: Person, f: &mut Faults) -> Events {
        let Some(proposal @ Proposal::Team(change)) = self.proposals.get(&id) else {
            f.refuse();
            return vec![];
        };
        self.demand_execution(proposal, by, f);
        let (team_id, action) = (change.course.team, change.action.clone());
        let Some(team) = self.teams.get(&team_id) else {
            f.refuse();
            return vec![];
        };
        match &action {
            Action::Change(rules) => {
                rules.check(f);
                f.unless(rules.floor >= team.rules.floor, "TimelockFloor");
            }
            Action::Dissolve => {
                let alone = team.programs == 0 && self.open_proposals(team_id) <= 1;
                f.unless(alone, "ProgramsRegistered");
            }
            Action::Transfer(..) => f.unless(false, "NotThisKind"),
        }
        if f.stop() {
            return vec![];
        }
        self.executed(id);
        let Some(team) = self.teams.get_mut(&team_id) else { return vec![] };
        match action {
            Action::Change(rules) => {
                team.change(rules);
                vec!["ConfigChanged"]
            }
            _ => {
                team.dissolved = true;
                team.epoch += 1;
                team.unpause.clear();
                vec!["TeamDissolved"]
            }
        }
    }

    /// `id` is executed now.
    pub(crate) fn executed(&mut self, id: Pid) {
        let now = self.now;
        let Some(proposal) = self.proposals.get_mut(&id) else { return };
        let course = proposal.course_mut();
        course.status = Status::Executed;
        course.executed = (now.time, now.slot);
        let (team, proposer) = (course.team, course.proposer);
        if let Some(team) = self.teams.get_mut(&team) {
            team.end(proposer);
        }
    }

    fn execute_transfer(&mut self, id: Pid, by: Person, to: Person, f: &mut Faults) -> Events {
        let Some(proposal @ Proposal::Team(change)) = self.proposals.get(&id) else {
            f.refuse();
            return vec![];
        };
        self.demand_execution(proposal, by, f);
        let (team_id, now) = (change.course.team, self.now.time);
        let Action::Transfer(program, new) = change.action else {
            f.refuse();
            return vec![];
        };
        let team = self.teams.get(&team_id);
        f.unless(!team.is_some_and(|team| team.paused(now)), "Paused");
        f.refuse_unless(to == new);
        match self.state(program) {
            None => f.refuse(),
            Some(state) => {
                f.refuse_unless(state.live == Some(id) && state.team == team_id);
                f.unless(state.phase == Phase::Steady, "NotSteady");
            }
        }
        if f.stop() {
            return vec![];
        }
        self.executed(id);
        self.release(program, Holder::Person(to));
        if let Some(team) = self.teams.get_mut(&team_id) {
            team.programs -= 1;
        }
        vec!["AuthorityTransferred"]
    }

    fn release(&mut self, program: ProgramId, to: Holder) {
        let Some(program) = self.programs.get_mut(usize::from(program)) else { return };
        program.holder = to;
        if let Some(state) = &mut program.state {
            state.phase = Phase::Released;
            (state.live, state.last) = (None, None);
        }
    }
}
