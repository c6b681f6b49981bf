//! The rules before an execution: registration, freezing and attesting buffers, proposing upgrades.
use super::{
    Events, Faults, Model,
    op::{BufferId, Code, EXECUTE, PROPOSE, Person, Pid, Plan, ProgramId, Role, Scope, VAULTS},
    program::{Attestation, Counters, Holder, Phase, State},
    voting::{Pinned, Proposal, Upgrade, VotingModel},
};

/// Chunks of a large build.
const CHUNKS: u32 = 3;
/// Longest time from proposal to expiry, in seconds.
const MAX_PROPOSAL_LIFETIME: i64 = 180 * 24 * 3600;

impl Model {
    pub(crate) fn register(
        &mut self,
        id: ProgramId,
        multisig: u8,
        by: Person,
        version: u16,
        f: &mut Faults,
    ) -> Events {
        match self.multisigs.get(&multisig) {
            None => f.refuse(),
            Some(multisig) => f.unless(!multisig.dissolved, "Dissolved"),
        }
        let Some(program) = self.programs.get_mut(usize::from(id)) else {
            f.refuse();
            return vec![];
        };
        f.unless(program.holder == Holder::Person(by), "NotUpgradeAuthority");
        f.refuse_unless(program.state.is_none());
        if f.stop() {
            return vec![];
        }
        program.holder = Holder::Manager(id);
        let known = (!program.code.large()).then_some(program.code);
        program.state = Some(State {
            multisig,
            version,
            known,
            previous_version: version,
            previous: known,
            phase: Phase::Steady,
            live: None,
            forward: None,
            last: None,
            executed_slot: 0,
            executed_at: 0,
            counters: Counters::default(),
        });
        if let Some(multisig) = self.multisigs.get_mut(&multisig) {
            multisig.programs += 1;
        }
        vec!["ProgramRegistered"]
    }

    pub(crate) fn freeze(
        &mut self,
        id: BufferId,
        program: ProgramId,
        by: Person,
        role: Role,
        f: &mut Faults,
    ) -> Events {
        f.refuse_unless(self.state(program).is_some());
        f.refuse_unless(!self.attestations.contains_key(&id));
        let Some(buffer) = self.buffers.get_mut(&id) else {
            f.refuse();
            return vec![];
        };
        f.unless(buffer.holder == Holder::Person(by), "NotBufferAuthority");
        if f.stop() {
            return vec![];
        }
        buffer.holder = Holder::Manager(program);
        let attestation = Attestation {
            program,
            role,
            code: buffer.code,
            chunks: 0,
            attested: false,
            proposal: None,
            refund: by,
        };
        self.attestations.insert(id, attestation);
        vec!["BufferFrozen"]
    }

    /// The rules for an attestation of a frozen buffer in this role. Returns the buffer's content.
    pub(crate) fn demand_open(
        &self,
        id: BufferId,
        program: ProgramId,
        role: Role,
        f: &mut Faults,
    ) -> Option<Code> {
        f.refuse_unless(self.state(program).is_some());
        let Some(attestation) = self.attestations.get(&id) else {
            f.refuse();
            return None;
        };
        f.unless(attestation.program == program, "WrongAccount");
        f.unless(attestation.role == role, "WrongBufferRole");
        f.unless(!attestation.attested, "AlreadyAttested");
        let frozen = self.demand_frozen(id, program, f);
        frozen.then_some(attestation.code)
    }

    /// The rule that the buffer exists and the manager holds it for `program`.
    pub(crate) fn demand_frozen(&self, id: BufferId, program: ProgramId, f: &mut Faults) -> bool {
        match self.buffers.get(&id) {
            None => f.unless(false, "NotALoaderAccount"),
            Some(buffer) => {
                f.unless(buffer.holder == Holder::Manager(program), "BufferNotFrozen");
            }
        }
        self.buffers.contains_key(&id)
    }

    pub(crate) fn demand_hashable(
        &self,
        id: BufferId,
        code: Option<Code>,
        exact: bool,
        f: &mut Faults,
    ) {
        f.unless(exact, "TrimmedLength");
        f.unless(code != Some(Code::Junk), "NotAnElf");
        if code.is_some_and(Code::large) {
            let done = self.attestations.get(&id).is_some_and(|a| a.chunks == CHUNKS);
            f.unless(done, "NeedsChunks");
        }
    }

    pub(crate) fn attest_rollback(
        &mut self,
        id: BufferId,
        program: ProgramId,
        exact: bool,
        f: &mut Faults,
    ) -> Events {
        let code = self.demand_open(id, program, Role::Rollback, f);
        self.demand_hashable(id, code, exact, f);
        f.unless(code != Some(Code::Cut), "ElfCutShort");
        let live = self.programs.get(usize::from(program)).map(|p| p.code);
        f.unless(code.is_none() || code == live, "RollbackNotLive");
        if f.stop() {
            return vec![];
        }
        if let Some(attestation) = self.attestations.get_mut(&id) {
            attestation.attested = true;
        }
        if let Some(state) = self.state_mut(program)
            && state.known.is_none()
        {
            (state.known, state.previous) = (code, code);
        }
        vec!["BufferAttested"]
    }

    pub(crate) fn attest_chunk(
        &mut self,
        id: BufferId,
        program: ProgramId,
        exact: bool,
        f: &mut Faults,
    ) -> Events {
        f.refuse_unless(self.state(program).is_some());
        f.unless(exact, "TrimmedLength");
        self.demand_frozen(id, program, f);
        let Some(attestation) = self.attestations.get_mut(&id) else {
            f.refuse();
            return vec![];
        };
        f.unless(attestation.program == program, "WrongAccount");
        f.unless(!attestation.attested, "AlreadyAttested");
        f.refuse_unless(attestation.code.large());
        f.unless(attestation.chunks < CHUNKS, "ChunkOutOfOrder");
        if f.stop() {
            return vec![];
        }
        attestation.chunks += 1;
        if attestation.chunks == CHUNKS && attestation.role == Role::Upgrade {
            attestation.attested = true;
            return vec!["ChunkAttested", "BufferAttested"];
        }
        vec!["ChunkAttested"]
    }

    pub(crate) fn reclaim(
        &mut self,
        id: BufferId,
        program: ProgramId,
        by: Person,
        f: &mut Faults,
    ) -> Events {
        f.unless(!self.attestations.contains_key(&id), "BufferKnown");
        self.demand_frozen(id, program, f);
        match self.state(program).map(|s| self.multisigs.get(&s.multisig)) {
            Some(Some(multisig)) => multisig.demand(f, by, EXECUTE),
            _ => f.refuse(),
        }
        if f.stop() {
            return vec![];
        }
        self.buffers.remove(&id);
        vec!["BufferReclaimed"]
    }

    pub(crate) fn propose(
        &mut self,
        program: ProgramId,
        by: Person,
        (upgrade, rollback): (BufferId, BufferId),
        plan: &Plan,
        f: &mut Faults,
    ) -> Events {
        let now = self.now;
        let Some(state) = self.state(program) else {
            f.refuse();
            return vec![];
        };
        let Some(multisig) = self.multisigs.get(&state.multisig) else {
            f.refuse();
            return vec![];
        };
        multisig.demand(f, by, PROPOSE);
        if plan.forward {
            let stuck = matches!(state.phase, Phase::Migrating | Phase::RollingBack);
            f.unless(stuck && state.forward.is_none(), "RollForward");
        } else {
            f.unless(state.live.is_none() && state.forward.is_none(), "LiveProposal");
            f.unless(state.phase == Phase::Steady, "NotSteady");
        }
        f.refuse_unless(upgrade != rollback);
        for (id, role) in [(upgrade, Role::Upgrade), (rollback, Role::Rollback)] {
            let Some(attestation) = self.attestations.get(&id) else {
                f.refuse();
                continue;
            };
            f.unless(attestation.program == program, "WrongAccount");
            f.unless(attestation.role == role, "WrongBufferRole");
            f.unless(attestation.attested, "NotAttested");
            f.unless(attestation.proposal.is_none(), "BufferTaken");
            self.demand_frozen(id, program, f);
        }
        let pin = |id| {
            let code = self.attestations.get(&id).map_or(Code::Junk, |a| a.code);
            Pinned { buffer: id, code }
        };
        let (new, old) = (pin(upgrade), pin(rollback));
        f.unless(state.known == Some(old.code), "RollbackNotLive");
        f.unless(plan.to > state.version, "VersionNotNewer");
        f.unless(plan.oldest <= state.version, "OldestVersion");
        f.unless(plan.scope != Scope::Unsound, "TypeRule");
        let seen = plan.manifest && program == VAULTS && !self.vaults.is_empty();
        f.unless(!seen || plan.scope != Scope::Nothing, "Manifest");
        let life = plan.expires_at - now.time;
        f.unless(
            life > i64::from(multisig.rules.timelock) && life <= MAX_PROPOSAL_LIFETIME,
            "ExpiryOutOfRange",
        );
        let open = multisig.open.get(&by).copied().unwrap_or(0);
        f.unless(open < multisig.rules.open_cap, "TooManyOpen");
        let id = Pid::Upgrade(program, state.multisig, multisig.next);
        f.unless(!self.proposals.contains_key(&id), "AddressTaken");
        if f.stop() {
            return vec![];
        }
        let manifest =
            if seen { self.vaults.iter().map(|(v, c)| (*v, *c)).collect() } else { vec![] };
        let proposal = Upgrade {
            voting: VotingModel::new((state.multisig, multisig.epoch), by, plan.expires_at, now),
            forward: plan.forward,
            upgrade: new,
            rollback: old,
            from: state.version,
            oldest: plan.oldest,
            to: plan.to,
            scope: plan.scope,
            manifest,
            spill: multisig.rules.treasury,
            rollback_until: 0,
            rollback_at: 0,
            back: Default::default(),
        };
        self.count_proposal(proposal.voting.multisig, by);
        self.proposals.insert(id, Proposal::Upgrade(proposal));
        for buffer in [upgrade, rollback] {
            if let Some(attestation) = self.attestations.get_mut(&buffer) {
                attestation.proposal = Some(id);
            }
        }
        if let Some(state) = self.state_mut(program) {
            let place = if plan.forward { &mut state.forward } else { &mut state.live };
            *place = Some(id);
        }
        vec!["ProposalCreated"]
    }
}
