//! The rules of the instructions about code: execution and rollback.
use super::{
    Events, Faults, Model,
    op::{Call, Code, EXECUTE, OTHER, Person, Pid, ProgramId, Role, VOTE},
    program::{Counters, Holder, Phase},
    voting::{Pinned, Proposal, Status, Upgrade},
};

impl Model {
    pub(crate) fn code_call(&mut self, call: &Call, f: &mut Faults) -> Events {
        match call {
            Call::Register { program, multisig, by, version } => {
                self.register(*program, *multisig, *by, *version, f)
            }
            Call::Freeze { buffer, program, by, role } => {
                self.freeze(*buffer, *program, *by, *role, f)
            }
            Call::Attest { buffer, program, exact } => {
                let code = self.demand_open(*buffer, *program, Role::Upgrade, f);
                self.demand_hashable(*buffer, code, *exact, f);
                f.unless(code != Some(Code::Cut), "ElfCutShort");
                if !f.stop()
                    && let Some(attestation) = self.attestations.get_mut(buffer)
                {
                    attestation.attested = true;
                    return vec!["BufferAttested"];
                }
                vec![]
            }
            Call::AttestRollback { buffer, program, exact } => {
                self.attest_rollback(*buffer, *program, *exact, f)
            }
            Call::AttestChunk { buffer, program, exact } => {
                self.attest_chunk(*buffer, *program, *exact, f)
            }
            Call::Reclaim { buffer, program, by } => self.reclaim(*buffer, *program, *by, f),
            Call::Propose { program, by, upgrade, rollback, plan } => {
                self.propose(*program, *by, (*upgrade, *rollback), plan, f)
            }
            Call::Execute { on, by } => self.execute(*on, *by, f),
            Call::VoteBack { on, by, give_up, digest, durable } => {
                f.unless(*digest, "DigestMismatch");
                self.vote_back(*on, *by, *give_up, *durable, f)
            }
            Call::RollBack { on, by } => self.roll_back(*on, *by, f),
            _ => vec![],
        }
    }

    /// The rule that the pinned buffer is frozen, unchanged and pinned by this proposal.
    fn demand_pinned(&self, id: Pid, program: ProgramId, pinned: Pinned, f: &mut Faults) {
        let taken = self.attestations.get(&pinned.buffer);
        f.refuse_unless(taken.is_some_and(|a| a.proposal == Some(id)));
        if self.demand_frozen(pinned.buffer, program, f) {
            let holds = self.buffers.get(&pinned.buffer).map(|b| b.code);
            if holds != Some(pinned.code) {
                f.refuse();
            }
        }
    }

    fn execute(&mut self, id: Pid, by: Person, f: &mut Faults) -> Events {
        let now = self.now;
        let (Some(proposal), Pid::Upgrade(program, ..)) = (self.proposals.get(&id), id) else {
            f.refuse();
            return vec![];
        };
        let Proposal::Upgrade(upgrade) = proposal.clone() else { return vec![] };
        self.demand_execution(proposal, by, f);
        let Some(state) = self.state(program).cloned() else {
            f.refuse();
            return vec![];
        };
        let Some(multisig) = self.multisigs.get(&state.multisig).cloned() else {
            f.refuse();
            return vec![];
        };
        f.unless(!multisig.paused(now.time), "Paused");
        f.refuse_unless(state.live == Some(id) || state.forward == Some(id));
        f.unless(upgrade.forward || state.phase == Phase::Steady, "NotSteady");
        f.unless(state.version == upgrade.from, "Superseded");
        f.unless(state.known == Some(upgrade.rollback.code), "RollbackNotLive");
        self.demand_pinned(id, program, upgrade.upgrade, f);
        self.demand_pinned(id, program, upgrade.rollback, f);
        let Some(target) = self.programs.get(usize::from(program)) else { return vec![] };
        f.unless(target.holder == Holder::Manager(program), "AuthorityLost");
        f.refuse_unless(now.slot > target.deployed);
        let room = program == OTHER || !upgrade.upgrade.code.large();
        f.refuse_unless(room && upgrade.upgrade.code != Code::Junk);
        if f.stop() {
            return vec![];
        }
        if state.phase != Phase::Steady
            && let Some(last) = state.last.and_then(|last| self.upgrade_mut(last))
        {
            last.voting.status = Status::Superseded;
        }
        self.executed(id);
        if let Some(p) = self.upgrade_mut(id) {
            p.rollback_until = now.time + i64::from(multisig.rules.rollback_window);
        }
        self.buffers.remove(&upgrade.upgrade.buffer);
        self.install(program, upgrade.upgrade.code);
        if let Some(state) = self.state_mut(program) {
            (state.previous_version, state.previous) = (state.version, state.known);
            (state.version, state.known) = (upgrade.to, Some(upgrade.upgrade.code));
            state.phase = Phase::Migrating;
            (state.live, state.forward, state.last) = (Some(id), None, Some(id));
            (state.executed_slot, state.executed_at) = (now.slot, now.time);
            let total = upgrade.manifest.len() as u32;
            state.counters = Counters { total, ..Counters::default() };
        }
        vec!["UpgradeExecuted"]
    }

    fn install(&mut self, program: ProgramId, code: Code) {
        let slot = self.now.slot;
        if let Some(program) = self.programs.get_mut(usize::from(program)) {
            (program.code, program.deployed) = (code, slot);
        }
    }

    fn vote_back(
        &mut self,
        id: Pid,
        by: Person,
        give_up: bool,
        durable: bool,
        f: &mut Faults,
    ) -> Events {
        let now = self.now.time;
        let (Some(upgrade), Pid::Upgrade(program, ..)) = (self.upgrade(id), id) else {
            f.refuse();
            return vec![];
        };
        let Some(multisig) = self.multisigs.get(&upgrade.voting.multisig) else {
            f.refuse();
            return vec![];
        };
        let guardian = multisig.is_guardian(by);
        self.demand_governed(program, upgrade, f);
        f.unless(upgrade.voting.status.executed(), "NotExecuted");
        f.unless(!durable || multisig.rules.durable, "DurableNonce");
        let last = self.state(program).is_some_and(|s| s.last == Some(id));
        f.unless(last, "Superseded");
        let inside = now <= upgrade.rollback_until;
        if guardian {
            f.unless(inside, "RollbackWindowOver");
            f.refuse_unless(!give_up && upgrade.rollback_at == 0);
        } else {
            multisig.demand(f, by, VOTE);
            f.unless(inside || upgrade.rollback_at != 0, "RollbackWindowOver");
            let said = upgrade.back.get(&by);
            f.unless(said.is_none_or(|before| give_up && !before), "AlreadyVoted");
        }
        if f.stop() {
            return vec![];
        }
        let multisig = multisig.clone();
        let Some(upgrade) = self.upgrade_mut(id) else { return vec![] };
        if !guardian {
            upgrade.back.retain(|who, _| multisig.votes(*who));
            upgrade.back.insert(by, give_up);
        }
        let decided = guardian || multisig.decides(multisig.voters_among(upgrade.back.keys()));
        if upgrade.rollback_at == 0 && decided {
            upgrade.rollback_at = now;
            if let Some(state) = self.state_mut(program) {
                state.phase = Phase::RollingBack;
            }
        }
        vec!["RollbackVoted"]
    }

    fn roll_back(&mut self, id: Pid, by: Person, f: &mut Faults) -> Events {
        let now = self.now;
        let (Some(upgrade), Pid::Upgrade(program, ..)) = (self.upgrade(id).cloned(), id) else {
            f.refuse();
            return vec![];
        };
        self.demand_restorer(&upgrade, by, f);
        let (Some(state), Some(multisig)) =
            (self.state(program), self.multisigs.get(&upgrade.voting.multisig))
        else {
            f.refuse();
            return vec![];
        };
        self.demand_governed(program, &upgrade, f);
        f.unless(state.last == Some(id), "Superseded");
        f.unless(state.phase == Phase::RollingBack, "RollbackNotApproved");
        f.unless(now.slot > state.executed_slot, "SameSlot");
        let giving_up = upgrade.back.iter().filter(|(_, gives)| **gives).map(|(who, _)| who);
        let given_up = multisig.decides(multisig.voters_among(giving_up));
        f.unless(state.counters.moved() == 0 || given_up, "NotRestored");
        self.demand_pinned(id, program, upgrade.rollback, f);
        if f.stop() {
            return vec![];
        }
        if let Some(p) = self.upgrade_mut(id) {
            p.voting.status = Status::RolledBack;
        }
        self.buffers.remove(&upgrade.rollback.buffer);
        self.install(program, upgrade.rollback.code);
        if let Some(state) = self.state_mut(program) {
            (state.version, state.known) = (state.previous_version, state.previous);
            (state.phase, state.last, state.executed_slot) = (Phase::Steady, None, now.slot);
            if state.live == Some(id) {
                state.live = None;
            }
        }
        vec!["ProgramRolledBack"]
    }

    /// The rules for the execution of an approved rollback by `by`.
    pub(crate) fn demand_restorer(&self, upgrade: &Upgrade, by: Person, f: &mut Faults) {
        upgrade.demand_rolling_back(f);
        match self.multisigs.get(&upgrade.voting.multisig) {
            None => f.refuse(),
            Some(multisig) if multisig.is_guardian(by) => {}
            Some(multisig) => multisig.demand(f, by, EXECUTE),
        }
    }
}
