//! Makes sequences: mostly operations that the model accepts now, weighted towards those that
//! advance a proposal, and a share of operations that must be refused. Uses only the model, no
//! chain.
mod instances;
mod moves;
mod rules;

use instances::instances;
pub use rules::usual;

use super::{
    Model,
    op::{
        BUFFERS, Call, How, MULTISIGS, Op, PEOPLE, PROGRAMS, Person, Pid, STRANGER, Scope, Thing,
        Twist, VAULT_COUNT,
    },
};

const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;
/// Random numbers of one sequence: splitmix64, <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % (n.max(1) as u64)).unwrap_or(0)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `all`.
    pub fn pick<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        if all.is_empty() { None } else { all.get(self.below(all.len())).cloned() }
    }
}

/// The kinds of steps, each with its weight among those that are possible.
const KINDS: [(Kind, u64); 33] = [
    (Kind::Time, 14),
    (Kind::Users, 5),
    (Kind::Upload, 4),
    (Kind::CreateMultisig, 6),
    (Kind::Register, 8),
    (Kind::Freeze, 8),
    (Kind::Attest, 14),
    (Kind::Chunk, 20),
    (Kind::Reclaim, 3),
    (Kind::Propose, 24),
    (Kind::ProposeMultisig, 5),
    (Kind::Approve, 34),
    (Kind::Reject, 4),
    (Kind::Revoke, 3),
    (Kind::Cancel, 3),
    (Kind::Expire, 5),
    (Kind::Execute, 40),
    (Kind::ExecuteMultisig, 30),
    (Kind::Pause, 1),
    (Kind::Unpause, 5),
    (Kind::Migrate, 20),
    (Kind::Verify, 14),
    (Kind::MarkClosed, 8),
    (Kind::Quarantine, 3),
    (Kind::Complete, 16),
    (Kind::VoteBack, 7),
    (Kind::Restore, 20),
    (Kind::RollBack, 20),
    (Kind::CloseBuffer, 5),
    (Kind::CloseProposal, 6),
    (Kind::CloseRecord, 4),
    (Kind::CloseBackup, 6),
    (Kind::CloseRest, 6),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Time,
    Users,
    Upload,
    CreateMultisig,
    Register,
    Freeze,
    Attest,
    Chunk,
    Reclaim,
    Propose,
    ProposeMultisig,
    Approve,
    Reject,
    Revoke,
    Cancel,
    Expire,
    Execute,
    ExecuteMultisig,
    Pause,
    Unpause,
    Migrate,
    Verify,
    MarkClosed,
    Quarantine,
    Complete,
    VoteBack,
    Restore,
    RollBack,
    CloseBuffer,
    CloseProposal,
    CloseRecord,
    CloseBackup,
    CloseRest,
}

/// The next step of a sequence that has led to `model`; `before` is what was done so far.
pub fn next(model: &mut Model, before: &[Op], dice: &mut Dice) -> Op {
    match dice.below(100) {
        0..74 => possible(model, dice),
        74..86 => any(model, dice),
        86..96 => twisted(model, dice),
        _ => dice.pick(before).unwrap_or_else(|| possible(model, dice)),
    }
}

/// An operation that the model accepts now.
fn possible(model: &mut Model, dice: &mut Dice) -> Op {
    let mut kinds = KINDS.to_vec();
    while !kinds.is_empty() {
        let total: u64 = kinds.iter().map(|(_, weight)| weight).sum();
        let mut at = dice.roll() % total;
        let chosen = kinds.iter().position(|(_, weight)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        let (kind, _) = kinds.swap_remove(chosen.unwrap_or(0));
        let mut ops = instances(model, kind, dice);
        ops.retain(|op| model.takes(op));
        if let Some(op) = dice.pick(&ops) {
            return op;
        }
    }
    Op::Pass { seconds: 60, slots: 150 }
}

/// An operation by anybody, accepted or not.
fn any(model: &mut Model, dice: &mut Dice) -> Op {
    for _ in 0..8 {
        let (kind, _) = KINDS[dice.below(KINDS.len())];
        let mut ops = instances(model, kind, dice);
        ops.retain(|op| matches!(op, Op::Call { .. }));
        let Some(mut op) = dice.pick(&ops) else { continue };
        if let Op::Call { call, .. } = &mut op {
            spoil(call, dice);
        }
        return op;
    }
    possible(model, dice)
}

/// Changes the actor or the digest, or puts a durable nonce in front.
fn spoil(call: &mut Call, dice: &mut Dice) {
    if dice.chance(55)
        && let Some(actor) = call.actor()
    {
        *actor = dice.below(PEOPLE.len()) as Person;
    }
    let flip = dice.chance(25);
    match call {
        Call::Vote { digest, durable, .. } | Call::VoteBack { digest, durable, .. } => {
            *digest ^= flip;
            *durable ^= dice.chance(15);
        }
        Call::Revoke { durable, .. }
        | Call::Cancel { durable, .. }
        | Call::Unpause { durable, .. } => *durable ^= flip,
        Call::Attest { exact, .. }
        | Call::AttestChunk { exact, .. }
        | Call::AttestRollback { exact, .. } => *exact ^= flip,
        Call::ProposeMultisig { long_note, expires_at, .. } => {
            *long_note ^= flip;
            *expires_at += if dice.chance(20) { 200 * i64::from(DAY) } else { 0 };
        }
        Call::Propose { plan, upgrade, rollback, .. } => match dice.below(8) {
            0 => plan.to = dice.below(3) as u16,
            1 => plan.oldest = dice.below(4) as u16,
            2 => plan.scope = Scope::Unsound,
            3 => plan.expires_at = 0,
            4 => plan.forward ^= true,
            5 => *upgrade = dice.below(usize::from(BUFFERS)) as u8,
            6 => *rollback = dice.below(usize::from(BUFFERS)) as u8,
            _ => plan.manifest ^= true,
        },
        Call::ExecuteTransfer { to, .. } if flip => *to = STRANGER,
        Call::MarkClosed { proof, .. } if flip => *proof = (*proof + 1) % VAULT_COUNT,
        Call::Migrate { vaults, .. } | Call::Verify { vaults, .. } if flip => {
            let first = vaults.first().copied();
            if dice.chance(50) { vaults.extend(first) } else { vaults.clear() }
        }
        Call::Restore { vaults, .. } => {
            for (_, how) in vaults.iter_mut() {
                let all = [How::Bytes, How::WrongBytes, How::Down, How::Backup];
                *how = dice.pick(&all).unwrap_or(How::Down);
            }
        }
        _ => {}
    }
}

/// An operation that the model accepts, with one account replaced or a signature missing.
fn twisted(model: &mut Model, dice: &mut Dice) -> Op {
    let mut op = possible(model, dice);
    for _ in 0..6 {
        if matches!(op, Op::Call { .. }) {
            break;
        }
        op = possible(model, dice);
    }
    let proposals: Vec<Pid> = model.proposals.keys().copied().collect();
    let choice = dice.below(13);
    let buffer = dice.below(usize::from(BUFFERS)) as u8;
    let program = dice.below(usize::from(PROGRAMS)) as u8;
    let vault = dice.below(usize::from(VAULT_COUNT)) as u8;
    let multisig = dice.below(usize::from(MULTISIGS)) as u8;
    let with = match choice {
        0 => Thing::Multisig(multisig),
        1 | 2 => Thing::State(program),
        3 | 4 => dice.pick(&proposals).map_or(Thing::State(program), Thing::Proposal),
        5 => Thing::Buffer(buffer),
        6 => Thing::Attestation(buffer),
        7 => Thing::Vault(vault),
        8 => Thing::Record(vault),
        9 => Thing::Program(program),
        10 => Thing::ProgramData(program),
        11 => Thing::Authority(program),
        12 => Thing::Person(dice.below(PEOPLE.len()) as u8),
        _ => Thing::Sysvar,
    };
    if let Op::Call { twist, .. } = &mut op {
        let at = dice.below(24) as u8;
        *twist = Some(if dice.chance(8) { Twist::Unsigned } else { Twist::Swap { at, with } });
    }
    op
}
