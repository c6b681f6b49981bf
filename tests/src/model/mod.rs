//! A reference model of the manager, written from the specification and not from the program. It
//! numbers people, programs and buffers, and says for every operation whether the chain must accept
//! it, with which errors the chain may refuse it, and what it changes.
//!
//! [`op`] lists the operations; [`multisig`], [`voting`] and [`program`] hold the state; `votes`,
//! `code`, `accounts` and `closing` hold the rules. [`generate`] makes sequences,
//! [`archive`], [`wire`] and [`drive`] send them to a chain, and [`check`] compares chain and
//! model.
mod accounts;
pub mod archive;
pub mod check;
mod closing;
mod code;
mod compare;
pub mod drive;
pub mod elfs;
pub mod generate;
pub mod instructions;
pub mod keys;
pub mod multisig;
pub mod op;
pub mod program;
pub mod sequence;
pub mod stages;
mod staging;
mod votes;
pub mod voting;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};

use multisig::Multisig;
use op::{
    BUFFERS, BufferId, Call, Code, DEV, MultisigId, Op, Pid, ProgramId, VAULT_COUNT, VAULTS,
    VaultId,
};
use program::{Attestation, Backup, Buffer, Content, Holder, Phase, Program, Record};
use voting::{Now, Proposal, Upgrade};

/// The model's whole state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    pub now: Now,
    pub multisigs: BTreeMap<MultisigId, Multisig>,
    pub programs: Vec<Program>,
    pub proposals: BTreeMap<Pid, Proposal>,
    pub buffers: BTreeMap<BufferId, Buffer>,
    pub attestations: BTreeMap<BufferId, Attestation>,
    pub vaults: BTreeMap<VaultId, Content>,
    pub records: BTreeMap<(ProgramId, VaultId), Record>,
    pub backups: BTreeMap<(ProgramId, VaultId), Backup>,
    /// An error that the model leaves out, for the test that proves that a missing rule is found.
    pub blind: Option<&'static str>,
}

/// The rules that an operation breaks. The chain may refuse with any of them, because it stops at
/// the first one it checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Names of the manager's errors.
    pub broken: BTreeSet<&'static str>,
    /// Whether the runtime, Anchor or another program may refuse as well.
    pub open: bool,
    dry: bool,
    blind: Option<&'static str>,
}

impl Faults {
    /// A dry run: the model does not change even when all rules hold.
    pub fn dry() -> Self {
        Self { dry: true, ..Self::default() }
    }

    /// Records `fault` unless `holds`.
    pub fn unless(&mut self, holds: bool, fault: &'static str) {
        if !holds && self.blind != Some(fault) {
            self.broken.insert(fault);
        }
    }

    /// Records a refusal with any error.
    pub fn refuse(&mut self) {
        self.open = true;
    }

    /// Records a refusal with any error unless `holds`.
    pub fn refuse_unless(&mut self, holds: bool) {
        self.open |= !holds;
    }

    /// Whether the chain must accept the operation.
    pub fn none(&self) -> bool {
        self.broken.is_empty() && !self.open
    }

    /// Whether the model must not change.
    pub fn stop(&self) -> bool {
        self.dry || !self.none()
    }
}

/// Events that an accepted operation emits, by name.
pub type Events = Vec<&'static str>;

impl Model {
    /// Deployed programs, and no account of the manager.
    pub fn new(time: i64, slot: u64) -> Self {
        let program =
            |code| Program { code, holder: Holder::Person(DEV), deployed: slot - 1, state: None };
        Self {
            now: Now { time, slot },
            multisigs: BTreeMap::new(),
            programs: vec![program(Code::First(0)), program(Code::First(0))],
            proposals: BTreeMap::new(),
            buffers: BTreeMap::new(),
            attestations: BTreeMap::new(),
            vaults: BTreeMap::new(),
            records: BTreeMap::new(),
            backups: BTreeMap::new(),
            blind: None,
        }
    }

    /// Whether the chain must accept `op` now.
    pub fn takes(&mut self, op: &Op) -> bool {
        let mut faults = Faults::dry();
        self.apply(op, &mut faults);
        faults.none()
    }

    /// Records in `faults` the rules that `op` breaks. When there are none, does `op` and returns
    /// its events.
    pub fn apply(&mut self, op: &Op, f: &mut Faults) -> Events {
        f.blind = self.blind;
        match op {
            Op::Pass { seconds, slots } => {
                if !f.stop() {
                    self.now.time += seconds;
                    self.now.slot += slots;
                }
                vec![]
            }
            Op::Upload { buffer, code, by, given } => {
                f.refuse_unless(*buffer < BUFFERS && !self.buffers.contains_key(buffer));
                if !f.stop() {
                    let holder = given.map_or(Holder::Person(*by), Holder::Manager);
                    self.buffers.insert(*buffer, Buffer { code: *code, holder });
                }
                vec![]
            }
            Op::Open { vault } | Op::Close { vault } | Op::Deposit { vault } => {
                self.use_vault(op, *vault, f);
                vec![]
            }
            Op::Call { call, twist } => {
                f.refuse_unless(twist.is_none());
                self.call(call, f)
            }
        }
    }

    fn use_vault(&mut self, op: &Op, vault: VaultId, f: &mut Faults) {
        let (layout, now) = (self.layout(), self.now.time);
        let there = self.vaults.get(&vault).copied();
        let usable = match op {
            Op::Open { .. } => there.is_none() && vault < VAULT_COUNT,
            _ => there.is_some_and(|content| content.layout == layout),
        };
        f.refuse_unless(usable);
        if f.stop() {
            return;
        }
        match (op, there) {
            (Op::Open { .. }, _) => {
                self.vaults.insert(vault, Content::new(layout));
            }
            (Op::Deposit { .. }, Some(content)) => {
                let changed_at = if layout == 2 { now } else { 0 };
                let deposits = content.deposits + 1;
                self.vaults.insert(vault, Content { layout, deposits, changed_at });
            }
            _ => {
                self.vaults.remove(&vault);
            }
        }
    }

    /// The layout that the vault program's code reads.
    pub fn layout(&self) -> u16 {
        self.programs.get(usize::from(VAULTS)).map_or(0, |p| p.code.layout())
    }

    fn call(&mut self, call: &Call, f: &mut Faults) -> Events {
        match call {
            Call::CreateMultisig { .. }
            | Call::ProposeMultisig { .. }
            | Call::Vote { .. }
            | Call::Revoke { .. }
            | Call::Cancel { .. }
            | Call::Expire { .. }
            | Call::ExecuteConfig { .. }
            | Call::ExecuteTransfer { .. }
            | Call::Pause { .. }
            | Call::Unpause { .. } => self.multisig_call(call, f),
            Call::Register { .. }
            | Call::Freeze { .. }
            | Call::Attest { .. }
            | Call::AttestChunk { .. }
            | Call::AttestRollback { .. }
            | Call::Reclaim { .. }
            | Call::Propose { .. }
            | Call::Execute { .. }
            | Call::VoteBack { .. }
            | Call::RollBack { .. } => self.code_call(call, f),
            Call::Migrate { .. }
            | Call::Verify { .. }
            | Call::MarkClosed { .. }
            | Call::Quarantine { .. }
            | Call::Complete { .. }
            | Call::Restore { .. } => self.account_call(call, f),
            Call::CloseBuffer { .. }
            | Call::CloseProposal { .. }
            | Call::CloseRecord { .. }
            | Call::CloseBackup { .. }
            | Call::CloseState { .. }
            | Call::CloseMultisig { .. } => self.closing_call(call, f),
        }
    }

    /// The upgrade at `id`.
    pub fn upgrade(&self, id: Pid) -> Option<&Upgrade> {
        match self.proposals.get(&id) {
            Some(Proposal::Upgrade(upgrade)) => Some(upgrade),
            _ => None,
        }
    }

    pub(crate) fn upgrade_mut(&mut self, id: Pid) -> Option<&mut Upgrade> {
        match self.proposals.get_mut(&id) {
            Some(Proposal::Upgrade(upgrade)) => Some(upgrade),
            _ => None,
        }
    }

    /// The manager's state of `program`.
    pub fn state(&self, program: ProgramId) -> Option<&program::State> {
        self.programs.get(usize::from(program))?.state.as_ref()
    }

    pub(crate) fn state_mut(&mut self, program: ProgramId) -> Option<&mut program::State> {
        self.programs.get_mut(usize::from(program))?.state.as_mut()
    }

    /// The manager's state of `program`, unless the program was released.
    pub fn held(&self, program: ProgramId) -> Option<&program::State> {
        self.state(program).filter(|s| s.phase != Phase::Released)
    }

    /// `program` is registered, with the multisig of `upgrade`. Once the state is closed, or
    /// another multisig has registered the program, an instruction about the upgrade is refused
    /// before its status is checked.
    pub(crate) fn demand_governed(&self, program: ProgramId, upgrade: &Upgrade, f: &mut Faults) {
        let multisig = upgrade.voting.multisig;
        f.refuse_unless(self.state(program).is_some_and(|state| state.multisig == multisig));
    }

    /// Open proposals of `multisig`.
    pub fn open_proposals(&self, multisig: MultisigId) -> usize {
        let open = |p: &&Proposal| p.voting().multisig == multisig && p.voting().status.is_voting();
        self.proposals.values().filter(open).count()
    }

    /// Ends `id` without an execution: its program no longer names the proposal, and the proposer has
    /// one open proposal fewer.
    pub(crate) fn end(&mut self, id: Pid) {
        let Some(proposal) = self.proposals.get(&id) else { return };
        let (multisig, proposer) = (proposal.voting().multisig, proposal.voting().proposer);
        let program = voting::program_of(id, proposal);
        if let Some(state) = program.and_then(|program| self.state_mut(program)) {
            for place in [&mut state.live, &mut state.forward] {
                if *place == Some(id) {
                    *place = None;
                }
            }
        }
        if let Some(multisig) = self.multisigs.get_mut(&multisig) {
            multisig.end(proposer);
        }
    }
}

impl Code {
    /// The layout that this build reads.
    pub fn layout(self) -> u16 {
        match self {
            Self::First(_) | Self::Cut | Self::Junk => 1,
            Self::Second(_) | Self::Large(_) => 2,
        }
    }

    /// Whether it is hashed in chunks.
    pub fn large(self) -> bool {
        matches!(self, Self::Large(_))
    }
}
