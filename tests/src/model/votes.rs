//! The multisig's instructions: creation, votes, changes of itself, pauses.
use super::{
    Events, Faults, Model,
    multisig::{Multisig, PAUSE_SECONDS},
    op::{Action, Call, EXECUTE, MultisigId, PROPOSE, Person, Pid, ProgramId, VOTE},
    program::{Holder, Phase},
    voting::{MultisigChange, Proposal, Status, VotingModel, program_of},
};

/// Longest time from proposal to expiry, in seconds.
const MAX_PROPOSAL_LIFETIME: i64 = 180 * 24 * 3600;

impl Model {
    pub(crate) fn multisig_call(&mut self, call: &Call, f: &mut Faults) -> Events {
        match call {
            Call::CreateMultisig { multisig, rules } => {
                rules.check(f);
                f.refuse_unless(!self.multisigs.contains_key(multisig));
                if f.stop() {
                    return vec![];
                }
                let mut rules = rules.clone();
                rules.members.sort();
                self.multisigs.insert(*multisig, Multisig::new(rules, self.now.slot));
                vec!["MultisigCreated"]
            }
            Call::ProposeMultisig { multisig, by, action, expires_at, long_note } => {
                f.unless(!long_note, "NoteTooLong");
                self.propose_multisig(*multisig, *by, action, *expires_at, f)
            }
            Call::Vote { on, by, approve, digest, durable } => {
                f.unless(*digest, "DigestMismatch");
                let now = self.now;
                self.vote(*on, *by, *durable, f, |voting, f| {
                    let same = voting.votes.get(by).is_some_and(|(aye, _)| aye == approve);
                    f.unless(!same, "AlreadyVoted");
                    if !f.stop() {
                        voting.votes.insert(*by, (*approve, now.time));
                    }
                });
                if f.stop() { vec![] } else { vec!["VoteCast"] }
            }
            Call::Revoke { on, by, durable } => {
                self.vote(*on, *by, *durable, f, |voting, f| {
                    f.unless(voting.votes.contains_key(by), "NoVote");
                    if !f.stop() {
                        voting.votes.remove(by);
                    }
                });
                if f.stop() { vec![] } else { vec!["VoteRevoked"] }
            }
            Call::Cancel { on, by, durable } => self.cancel(*on, *by, *durable, f),
            Call::Expire { on } => self.expire(*on, f),
            Call::ExecuteConfig { on, by } => self.execute_config(*on, *by, f),
            Call::ExecuteTransfer { on, by, to } => self.execute_transfer(*on, *by, *to, f),
            Call::Pause { multisig, by } => {
                let now = self.now.time;
                let Some(multisig) = self.multisigs.get_mut(multisig) else {
                    f.refuse();
                    return vec![];
                };
                f.unless(multisig.is_guardian(*by), "NotGuardian");
                f.unless(!multisig.dissolved, "Dissolved");
                f.unless(!multisig.paused(now), "Paused");
                f.unless(now >= multisig.pause_again, "PauseTooSoon");
                if f.stop() {
                    return vec![];
                }
                (multisig.paused_until, multisig.pause_again) =
                    (now + PAUSE_SECONDS, now + 2 * PAUSE_SECONDS);
                multisig.unpause.clear();
                vec!["PauseChanged"]
            }
            Call::Unpause { multisig, by, durable } => {
                let now = self.now.time;
                let Some(multisig) = self.multisigs.get_mut(multisig) else {
                    f.refuse();
                    return vec![];
                };
                multisig.demand(f, *by, VOTE);
                f.unless(!durable || multisig.rules.durable, "DurableNonce");
                f.unless(multisig.paused(now), "NotPaused");
                f.unless(!multisig.unpause.contains(by), "AlreadyVoted");
                if f.stop() {
                    return vec![];
                }
                multisig.unpause.insert(*by);
                if multisig.decides(multisig.voters_among(&multisig.unpause)) {
                    multisig.paused_until = 0;
                    multisig.unpause.clear();
                }
                vec!["PauseChanged"]
            }
            _ => vec![],
        }
    }

    fn propose_multisig(
        &mut self,
        id: MultisigId,
        by: Person,
        action: &Action,
        expires_at: i64,
        f: &mut Faults,
    ) -> Events {
        let now = self.now;
        let Some(multisig) = self.multisigs.get(&id) else {
            f.refuse();
            return vec![];
        };
        multisig.demand(f, by, PROPOSE);
        f.unless(!multisig.dissolved, "Dissolved");
        let life = expires_at - now.time;
        f.unless(
            life > i64::from(multisig.rules.timelock) && life <= MAX_PROPOSAL_LIFETIME,
            "ExpiryOutOfRange",
        );
        let open = multisig.open.get(&by).copied().unwrap_or(0);
        f.unless(open < multisig.rules.open_cap, "TooManyOpen");
        match action {
            Action::Change(rules) => {
                rules.check(f);
                f.unless(rules.floor >= multisig.rules.floor, "TimelockFloor");
            }
            Action::Transfer(program, to) => match self.state(*program) {
                None => f.refuse(),
                Some(state) => {
                    f.unless(*to != super::op::ZERO, "NewAuthority");
                    f.refuse_unless(state.multisig == id);
                    f.unless(state.live.is_none() && state.forward.is_none(), "LiveProposal");
                    f.unless(state.phase == Phase::Steady, "NotSteady");
                }
            },
            Action::Dissolve => {}
        }
        let pid = Pid::Multisig(id, multisig.next);
        f.unless(!self.proposals.contains_key(&pid), "AddressTaken");
        if f.stop() {
            return vec![];
        }
        let voting = VotingModel::new((id, multisig.epoch), by, expires_at, now);
        let mut action = action.clone();
        if let Action::Change(rules) = &mut action {
            rules.members.sort();
        }
        if let Action::Transfer(program, _) = action
            && let Some(state) = self.state_mut(program)
        {
            state.live = Some(pid);
        }
        self.proposals.insert(pid, Proposal::Multisig(MultisigChange { voting, action }));
        self.count_proposal(id, by);
        vec!["GovernanceProposed"]
    }

    pub(crate) fn count_proposal(&mut self, multisig: MultisigId, by: Person) {
        if let Some(multisig) = self.multisigs.get_mut(&multisig) {
            multisig.next += 1;
            *multisig.open.entry(by).or_default() += 1;
        }
    }

    /// The rule that the program of `id`, if it has one, is registered.
    fn demand_known(&self, id: Pid, proposal: &Proposal, f: &mut Faults) {
        let program = program_of(id, proposal);
        f.refuse_unless(program.is_none_or(|program| self.state(program).is_some()));
    }

    /// The rule that its program still names `id` as the live proposal or the roll-forward.
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
        change: impl FnOnce(&mut VotingModel, &mut Faults),
    ) {
        let now = self.now;
        let Some(proposal) = self.proposals.get(&id) else { return f.refuse() };
        let Some(multisig) = self.multisigs.get(&proposal.voting().multisig) else {
            return f.refuse();
        };
        f.unless(!durable || multisig.rules.durable, "DurableNonce");
        proposal.voting().demand_vote(f, multisig, by, now);
        self.demand_live(id, proposal, f);
        let multisig = multisig.clone();
        let Some(proposal) = self.proposals.get_mut(&id) else { return };
        let voting = proposal.voting_mut();
        change(voting, f);
        if f.stop() {
            return;
        }
        voting.recount(&multisig, now);
        if voting.status == Status::Rejected {
            self.end(id);
        }
    }

    fn cancel(&mut self, id: Pid, by: Person, durable: bool, f: &mut Faults) -> Events {
        let Some(proposal) = self.proposals.get(&id) else {
            f.refuse();
            return vec![];
        };
        let voting = proposal.voting();
        let Some(multisig) = self.multisigs.get(&voting.multisig) else {
            f.refuse();
            return vec![];
        };
        self.demand_known(id, proposal, f);
        f.unless(voting.status.is_voting(), "NotVoting");
        f.unless(!durable || multisig.rules.durable, "DurableNonce");
        let withdrawn = by == voting.proposer && voting.votes.is_empty();
        let vetoed = !withdrawn && multisig.is_guardian(by);
        if vetoed {
            let own_removal = matches!(proposal, Proposal::Multisig(MultisigChange { action: Action::Change(rules), .. })
                if rules.only_guardian_differs(&multisig.rules));
            f.unless(!own_removal, "GuardianCannotVeto");
        } else if !withdrawn {
            multisig.demand(f, by, VOTE);
            f.unless(!voting.cancel.contains(&by), "AlreadyVoted");
        }
        if f.stop() {
            return vec![];
        }
        let mut cancel = voting.cancel.clone();
        let mut ends = withdrawn || vetoed;
        if !ends {
            cancel.retain(|who| multisig.votes(*who));
            cancel.insert(by);
            ends = multisig.decides(cancel.len());
        }
        if let Some(proposal) = self.proposals.get_mut(&id) {
            proposal.voting_mut().cancel = cancel;
            if ends {
                proposal.voting_mut().status = Status::Cancelled;
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
        let voting = proposal.voting();
        self.demand_known(id, proposal, f);
        let Some(multisig) = self.multisigs.get(&voting.multisig) else {
            f.refuse();
            return vec![];
        };
        let stale = multisig.epoch != voting.epoch;
        f.unless(voting.status.is_voting(), "NotVoting");
        f.unless(stale || now > voting.deadline(), "NotExpired");
        if f.stop() {
            return vec![];
        }
        if let Some(proposal) = self.proposals.get_mut(&id) {
            proposal.voting_mut().status = Status::Expired;
            self.end(id);
        }
        vec!["ProposalExpired"]
    }

    /// The rules for every execution.
    pub(crate) fn demand_execution(&self, proposal: &Proposal, by: Person, f: &mut Faults) {
        let voting = proposal.voting();
        let Some(multisig) = self.multisigs.get(&voting.multisig) else { return f.refuse() };
        multisig.demand(f, by, EXECUTE);
        voting.demand_ready(f, multisig, self.now);
    }

    fn execute_config(&mut self, id: Pid, by: Person, f: &mut Faults) -> Events {
        let Some(proposal @ Proposal::Multisig(change)) = self.proposals.get(&id) else {
            f.refuse();
            return vec![];
        };
        self.demand_execution(proposal, by, f);
        let (multisig_id, action) = (change.voting.multisig, change.action.clone());
        let Some(multisig) = self.multisigs.get(&multisig_id) else {
            f.refuse();
            return vec![];
        };
        match &action {
            Action::Change(rules) => {
                rules.check(f);
                f.unless(rules.floor >= multisig.rules.floor, "TimelockFloor");
            }
            Action::Dissolve => {
                let alone = multisig.programs == 0 && self.open_proposals(multisig_id) <= 1;
                f.unless(alone, "ProgramsRegistered");
            }
            Action::Transfer(..) => f.unless(false, "NotThisKind"),
        }
        if f.stop() {
            return vec![];
        }
        self.executed(id);
        let Some(multisig) = self.multisigs.get_mut(&multisig_id) else { return vec![] };
        match action {
            Action::Change(rules) => {
                multisig.change(rules);
                vec!["ConfigChanged"]
            }
            _ => {
                multisig.dissolved = true;
                multisig.epoch += 1;
                multisig.unpause.clear();
                vec!["MultisigDissolved"]
            }
        }
    }

    /// Marks `id` as executed now.
    pub(crate) fn executed(&mut self, id: Pid) {
        let now = self.now;
        let Some(proposal) = self.proposals.get_mut(&id) else { return };
        let voting = proposal.voting_mut();
        voting.status = Status::Executed;
        voting.executed = (now.time, now.slot);
        let (multisig, proposer) = (voting.multisig, voting.proposer);
        if let Some(multisig) = self.multisigs.get_mut(&multisig) {
            multisig.end(proposer);
        }
    }

    fn execute_transfer(&mut self, id: Pid, by: Person, to: Person, f: &mut Faults) -> Events {
        let Some(proposal @ Proposal::Multisig(change)) = self.proposals.get(&id) else {
            f.refuse();
            return vec![];
        };
        self.demand_execution(proposal, by, f);
        let (multisig_id, now) = (change.voting.multisig, self.now.time);
        let Action::Transfer(program, new) = change.action else {
            f.refuse();
            return vec![];
        };
        let multisig = self.multisigs.get(&multisig_id);
        f.unless(!multisig.is_some_and(|multisig| multisig.paused(now)), "Paused");
        f.refuse_unless(to == new);
        match self.state(program) {
            None => f.refuse(),
            Some(state) => {
                f.refuse_unless(state.live == Some(id) && state.multisig == multisig_id);
                f.unless(state.phase == Phase::Steady, "NotSteady");
            }
        }
        if f.stop() {
            return vec![];
        }
        self.executed(id);
        self.release(program, Holder::Person(to));
        if let Some(multisig) = self.multisigs.get_mut(&multisig_id) {
            multisig.programs -= 1;
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
