//! Operations of every kind, whether the model accepts them now or not.
use super::{
    super::{
        Model,
        op::{
            Action, BUFFERS, Call, Code, DEV, GUARD, MULTISIGS, MultisigId, NOVA, Op, POOL,
            PROGRAMS, Person, Pid, Plan, ProgramId, Role, SECOND_GUARD, STRANGER, Scope,
            VAULT_COUNT, VAULTS, ZERO,
        },
        program::{Attestation, Holder, Phase},
        voting::{Proposal, Status},
    },
    Dice, HOUR, Kind,
    moves::moves,
    rules::{create_multisig, vary},
};

pub(super) fn instances(model: &Model, kind: Kind, dice: &mut Dice) -> Vec<Op> {
    let made = match kind {
        Kind::Time => return times(model, dice),
        Kind::Users => {
            let vault = dice.below(usize::from(VAULT_COUNT)) as u8;
            return vec![Op::Open { vault }, Op::Deposit { vault }, Op::Close { vault }];
        }
        Kind::Upload => return uploads(model, dice),
        Kind::CreateMultisig => {
            (0..MULTISIGS).map(|multisig| create_multisig(multisig, dice)).collect()
        }
        Kind::Register => {
            let multisig = dice.below(usize::from(MULTISIGS)) as u8;
            let version = [1, 1, 0][dice.below(3)];
            each_program(|program| {
                let by = match model.programs[usize::from(program)].holder {
                    Holder::Person(who) => who,
                    Holder::Manager(_) => DEV,
                };
                vec![Call::Register { program, multisig, by, version }]
            })
        }
        Kind::Freeze => freezes(model),
        Kind::Attest | Kind::Chunk => attests(model, kind),
        Kind::Reclaim => each_buffer(|buffer| {
            let by = executor(model, 0, dice.clone());
            (0..PROGRAMS).map(|program| Call::Reclaim { buffer, program, by }).collect()
        }),
        Kind::Propose => proposes(model, dice),
        Kind::ProposeMultisig => propose_multisig(model, dice),
        Kind::Approve | Kind::Reject | Kind::Revoke | Kind::Cancel | Kind::Expire => {
            votes(model, kind)
        }
        Kind::Execute => each_proposal(model, |on, by| vec![Call::Execute { on, by }]),
        Kind::ExecuteMultisig => each_proposal(model, |on, by| {
            let to = match model.proposals.get(&on) {
                Some(Proposal::Multisig(change)) => match change.action {
                    Action::Transfer(_, to) => to,
                    _ => NOVA,
                },
                _ => NOVA,
            };
            vec![Call::ExecuteConfig { on, by }, Call::ExecuteTransfer { on, by, to }]
        }),
        Kind::Pause => (0..MULTISIGS)
            .flat_map(|multisig| [GUARD, SECOND_GUARD].map(|by| Call::Pause { multisig, by }))
            .collect(),
        Kind::Unpause => (0..MULTISIGS)
            .flat_map(|multisig| {
                (0..POOL).map(move |by| Call::Unpause { multisig, by, durable: false })
            })
            .collect(),
        Kind::Migrate | Kind::Verify | Kind::MarkClosed | Kind::Quarantine | Kind::Restore => {
            moves(model, kind, dice)
        }
        Kind::Complete => each_proposal(model, |on, by| vec![Call::Complete { on, by }]),
        Kind::VoteBack => each_proposal(model, |on, by| {
            let vote = |give_up| Call::VoteBack { on, by, give_up, digest: true, durable: false };
            vec![vote(false), vote(true)]
        }),
        Kind::RollBack => each_proposal(model, |on, by| vec![Call::RollBack { on, by }]),
        Kind::CloseBuffer => each_buffer(|buffer| {
            [DEV, STRANGER].map(|by| Call::CloseBuffer { buffer, by }).to_vec()
        }),
        Kind::CloseProposal => {
            model.proposals.keys().map(|on| Call::CloseProposal { on: *on, by: STRANGER }).collect()
        }
        Kind::CloseRecord => model
            .records
            .keys()
            .map(|(program, vault)| Call::CloseRecord {
                program: *program,
                vault: *vault,
                by: STRANGER,
            })
            .collect(),
        Kind::CloseBackup => model
            .backups
            .keys()
            .map(|(program, vault)| Call::CloseBackup {
                program: *program,
                vault: *vault,
                by: STRANGER,
            })
            .collect(),
        Kind::CloseRest => {
            let mut all = each_program(|program| vec![Call::CloseState { program, by: STRANGER }]);
            all.extend(
                (0..MULTISIGS).map(|multisig| Call::CloseMultisig { multisig, by: STRANGER }),
            );
            all
        }
    };
    made.into_iter().map(|call| Op::Call { call, twist: None }).collect()
}

fn each_program(make: impl Fn(ProgramId) -> Vec<Call>) -> Vec<Call> {
    (0..PROGRAMS).flat_map(make).collect()
}

fn each_buffer(make: impl Fn(u8) -> Vec<Call>) -> Vec<Call> {
    (0..BUFFERS).flat_map(make).collect()
}

/// By everybody who could be a member or a guardian.
fn each_proposal(model: &Model, make: impl Fn(Pid, Person) -> Vec<Call>) -> Vec<Call> {
    let people = || (0..POOL).chain([GUARD, SECOND_GUARD]);
    let make = &make;
    model.proposals.keys().flat_map(|on| people().flat_map(move |by| make(*on, by))).collect()
}

pub(super) fn executor(model: &Model, multisig: MultisigId, mut dice: Dice) -> Person {
    let multisig = model.multisigs.get(&multisig);
    let all = multisig.map_or(vec![0], |t| t.rules.members.iter().map(|(who, _)| *who).collect());
    dice.pick(&all).unwrap_or(0)
}

/// The times at which a rule changes its answer, each with the second before and after it.
fn times(model: &Model, dice: &mut Dice) -> Vec<Op> {
    let now = model.now;
    let mut moments = vec![now.time + 60, now.time + i64::from(HOUR)];
    for proposal in model.proposals.values() {
        let voting = proposal.voting();
        if voting.status.is_voting() {
            // Mostly to the eta, rarely past the expiry.
            moments.extend([voting.eta; 4]);
            moments.push(voting.window_end);
            if dice.chance(20) {
                moments.push(voting.expires_at);
            }
        }
        if let Proposal::Upgrade(upgrade) = proposal
            && upgrade.voting.status.executed()
            && dice.chance(40)
        {
            moments.push(upgrade.rollback_until);
        }
    }
    for multisig in model.multisigs.values() {
        moments.extend([multisig.paused_until, multisig.pause_again]);
    }
    let mut ops = vec![];
    for moment in moments {
        for seconds in [-1, 0, 1].map(|off| moment + off - now.time) {
            if seconds > 0 {
                let slots = seconds.unsigned_abs() * 5 / 2;
                let slots = if dice.chance(90) { slots } else { dice.roll() % 3 };
                ops.push(Op::Pass { seconds, slots });
            }
        }
    }
    ops.push(Op::Pass { seconds: 0, slots: 1 });
    if dice.chance(10) {
        let back = [1, 3600, 5 * 24 * 3600];
        ops.extend(back.map(|seconds: i64| Op::Pass { seconds: -seconds, slots: 1 }));
    }
    ops
}

fn uploads(model: &Model, dice: &mut Dice) -> Vec<Op> {
    let free = (0..BUFFERS).find(|b| {
        let used = model.buffers.contains_key(b);
        let known = model.attestations.contains_key(b);
        !used && (!known || dice.chance(10))
    });
    let Some(buffer) = free else { return vec![] };
    let salt = dice.below(2) as u8;
    let mut codes = vec![Code::First(salt), Code::Second(salt), Code::Second(0)];
    codes.extend(model.programs.iter().map(|p| p.code));
    codes.extend(model.programs.iter().map(|p| p.code));
    if dice.chance(30) {
        codes.extend([Code::Cut, Code::Junk, Code::Large(salt)]);
    }
    let given = dice.chance(8).then(|| dice.below(usize::from(PROGRAMS)) as u8);
    codes.into_iter().map(|code| Op::Upload { buffer, code, by: DEV, given }).collect()
}

fn freezes(model: &Model) -> Vec<Call> {
    let mut all = vec![];
    for (buffer, held) in &model.buffers {
        let Holder::Person(by) = held.holder else { continue };
        for program in 0..PROGRAMS {
            let runs = model.programs[usize::from(program)].code == held.code;
            let role = if runs { Role::Rollback } else { Role::Upgrade };
            all.push(Call::Freeze { buffer: *buffer, program, by, role });
        }
    }
    all
}

fn attests(model: &Model, kind: Kind) -> Vec<Call> {
    let mut all = vec![];
    for (buffer, known) in &model.attestations {
        let (buffer, program, exact) = (*buffer, known.program, true);
        all.push(match (kind, known.role) {
            (Kind::Chunk, _) => Call::AttestChunk { buffer, program, exact },
            (_, Role::Upgrade) => Call::Attest { buffer, program, exact },
            (_, Role::Rollback) => Call::AttestRollback { buffer, program, exact },
        });
    }
    all
}

fn proposes(model: &Model, dice: &mut Dice) -> Vec<Call> {
    let mut all = vec![];
    let free = |program, role| {
        let fits = move |a: &Attestation| {
            a.program == program && a.role == role && a.attested && a.proposal.is_none()
        };
        model.attestations.iter().filter(move |(_, a)| fits(a)).map(|(id, _)| *id)
    };
    for program in 0..PROGRAMS {
        let Some(state) = model.state(program) else { continue };
        let Some(multisig) = model.multisigs.get(&state.multisig) else { continue };
        let by = executor(model, state.multisig, dice.clone());
        let forward = state.phase != Phase::Steady;
        let expires_at = model.now.time
            + i64::from(multisig.rules.timelock)
            + [12 * 24 * 3600, 3600, 60 * 24 * 3600][dice.below(3)];
        for upgrade in free(program, Role::Upgrade) {
            for rollback in free(program, Role::Rollback) {
                let second = model.attestations[&upgrade].code.layout() == 2;
                let first = model.programs[usize::from(program)].code.layout() == 1;
                let moves = program == VAULTS && first && second && state.version < 2;
                let scope = match (moves, dice.below(10)) {
                    (true, 0..6) => Scope::Vaults,
                    (true, 6..9) => Scope::Critical,
                    (false, 0) => Scope::Vaults,
                    _ => Scope::Nothing,
                };
                let manifest = scope != Scope::Nothing && dice.chance(70);
                let oldest = state.version.saturating_sub(dice.below(2) as u16);
                let to = if moves { 2 } else { state.version + 1 };
                let plan = Plan { to, oldest, scope, manifest, expires_at, forward };
                all.push(Call::Propose { program, by, upgrade, rollback, plan });
            }
        }
    }
    all
}

fn propose_multisig(model: &Model, dice: &mut Dice) -> Vec<Call> {
    let mut all = vec![];
    for (id, multisig) in &model.multisigs {
        let by = executor(model, *id, dice.clone());
        let lasts = [10 * 24 * 3600, 3600, 30 * 24 * 3600][dice.below(3)];
        let expires_at = model.now.time + i64::from(multisig.rules.timelock) + lasts;
        let make = |action| {
            let multisig = *id;
            Call::ProposeMultisig { multisig, by, action, expires_at, long_note: false }
        };
        for _ in 0..3 {
            let mut rules = multisig.rules.clone();
            vary(&mut rules, dice);
            all.push(make(Action::Change(rules)));
        }
        let to = [NOVA, NOVA, DEV, ZERO][dice.below(4)];
        let program = dice.below(usize::from(PROGRAMS)) as u8;
        all.push(make(Action::Transfer(program, to)));
        all.push(make(Action::Dissolve));
    }
    all
}

fn votes(model: &Model, kind: Kind) -> Vec<Call> {
    let vote = |on, by, approve| Call::Vote { on, by, approve, digest: true, durable: false };
    each_proposal(model, |on, by| {
        vec![match kind {
            Kind::Approve => {
                // Keeps approvals beyond the threshold rare.
                let voting = model.proposals.get(&on).map(Proposal::voting);
                if voting.is_some_and(|c| c.status == Status::Timelocked && by > 4) {
                    return vec![];
                }
                vote(on, by, true)
            }
            Kind::Reject => vote(on, by, false),
            Kind::Revoke => Call::Revoke { on, by, durable: false },
            Kind::Cancel => Call::Cancel { on, by, durable: false },
            _ => Call::Expire { on },
        }]
    })
}
