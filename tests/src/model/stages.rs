//! Where sequences start: stages of a multisig's life. Each is reached by operations that model and
//! chain both accepted, and built once a process.
use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
};

use super::{
    drive::{Pair, readable},
    generate::usual,
    op::{Action, Call, Code, DEV, NOVA, OTHER, Op, Pid, Plan, Role, STRANGER, Scope, VAULTS},
};

const DAY: i64 = 24 * 3600;
const TIMELOCK: i64 = 2 * DAY;

/// Stages that sequences start from. A stage that is listed twice is drawn twice as often.
pub const START: [&str; 24] = [
    "fresh",
    "registered",
    "registered",
    "attested",
    "attested",
    "proposed",
    "proposed",
    "ready",
    "executed",
    "executed",
    "migrated",
    "completed",
    "rolling back",
    "critical",
    "critical",
    "change",
    "change",
    "transfer",
    "released",
    "left",
    "passed on",
    "dissolved",
    "large",
    "forward",
];

fn call(call: Call) -> Op {
    Op::Call { call, twist: None }
}

fn pass(seconds: i64) -> Op {
    Op::Pass { seconds, slots: seconds.unsigned_abs() * 5 / 2 + 1 }
}

fn approve(on: Pid) -> impl Iterator<Item = Op> {
    (0..3).map(move |by| call(Call::Vote { on, by, approve: true, digest: true, durable: false }))
}

fn staged(buffer: u8, program: u8, code: Code, role: Role) -> Vec<Op> {
    let exact = true;
    let mut ops = vec![
        Op::Upload { buffer, code, by: DEV, given: None },
        call(Call::Freeze { buffer, program, by: DEV, role }),
    ];
    if matches!(code, Code::Large(_)) {
        ops.extend((0..3).map(|_| call(Call::AttestChunk { buffer, program, exact })));
    }
    match (role, code) {
        (Role::Upgrade, Code::Large(_)) => {}
        (Role::Upgrade, _) => ops.push(call(Call::Attest { buffer, program, exact })),
        (Role::Rollback, _) => ops.push(call(Call::AttestRollback { buffer, program, exact })),
    }
    ops
}

fn upgrade(program: u8, buffers: (u8, u8), to: u16, scope: Scope, now: i64) -> Op {
    let manifest = scope != Scope::Nothing;
    let (oldest, forward) = (1, false);
    let plan = Plan { to, oldest, scope, manifest, expires_at: now + 14 * DAY, forward };
    let (upgrade, rollback) = buffers;
    call(Call::Propose { program, by: 0, upgrade, rollback, plan })
}

/// The stage before, and the operations that lead from it to this one at time `now`.
fn script(stage: &str, now: i64) -> (Option<&'static str>, Vec<Op>) {
    let first = Pid::Upgrade(VAULTS, 0, 0);
    let multisig = |action| {
        let expires_at = now + 14 * DAY;
        call(Call::ProposeMultisig { multisig: 0, by: 0, action, expires_at, long_note: false })
    };
    let decided = |stage_before, action, id| {
        let on = Pid::Multisig(0, id);
        let mut ops = vec![multisig(action)];
        ops.extend(approve(on));
        ops.push(pass(TIMELOCK));
        (Some(stage_before), ops)
    };
    match stage {
        "fresh" => {
            let vaults = (0..3).flat_map(|vault| {
                [Op::Open { vault }]
                    .into_iter()
                    .chain((0..vault).map(move |_| Op::Deposit { vault }))
            });
            (None, vaults.collect())
        }
        "registered" => {
            let make = |multisig| call(Call::CreateMultisig { multisig, rules: usual(multisig) });
            let register =
                |program, multisig| call(Call::Register { program, multisig, by: DEV, version: 1 });
            (Some("fresh"), vec![make(0), make(1), register(VAULTS, 0), register(OTHER, 0)])
        }
        "attested" => {
            let mut ops = staged(0, VAULTS, Code::Second(0), Role::Upgrade);
            ops.extend(staged(1, VAULTS, Code::First(0), Role::Rollback));
            (Some("registered"), ops)
        }
        "proposed" => (Some("attested"), vec![upgrade(VAULTS, (0, 1), 2, Scope::Vaults, now)]),
        "ready" => (Some("proposed"), approve(first).chain([pass(TIMELOCK)]).collect()),
        "executed" => {
            let slot = Op::Pass { seconds: 0, slots: 1 };
            (Some("ready"), vec![call(Call::Execute { on: first, by: 3 }), slot])
        }
        "migrated" => {
            let vaults = vec![0, 1, 2];
            (Some("executed"), vec![call(Call::Migrate { on: first, by: STRANGER, vaults })])
        }
        "completed" => {
            let vaults = vec![0, 1, 2];
            let verify = call(Call::Verify { on: first, vaults });
            (Some("migrated"), vec![verify, call(Call::Complete { on: first, by: 4 })])
        }
        "rolling back" => {
            let vote = |by| {
                call(Call::VoteBack { on: first, by, give_up: false, digest: true, durable: false })
            };
            (Some("migrated"), (0..3).map(vote).collect())
        }
        "critical" => {
            let mut ops = vec![upgrade(VAULTS, (0, 1), 2, Scope::Critical, now)];
            ops.extend(approve(first));
            ops.extend([pass(TIMELOCK), call(Call::Execute { on: first, by: 3 })]);
            ops.push(Op::Pass { seconds: 0, slots: 1 });
            (Some("attested"), ops)
        }
        "change" => {
            let mut rules = usual(0);
            rules.members.remove(1);
            rules.members.push((5, 7));
            decided("attested", Action::Change(rules), 0)
        }
        "transfer" => decided("attested", Action::Transfer(VAULTS, NOVA), 0),
        "released" => {
            let on = Pid::Multisig(0, 0);
            (Some("transfer"), vec![call(Call::ExecuteTransfer { on, by: 2, to: NOVA })])
        }
        // The upgrade was executed, and the program's state is closed.
        "left" => {
            let (on, to) = (Pid::Multisig(0, 1), NOVA);
            let (before, mut ops) = decided("completed", Action::Transfer(VAULTS, to), 1);
            ops.push(call(Call::ExecuteTransfer { on, by: 2, to }));
            ops.push(call(Call::CloseState { program: VAULTS, by: STRANGER }));
            (before, ops)
        }
        // Another multisig has registered the program.
        "passed on" => {
            let register = Call::Register { program: VAULTS, multisig: 1, by: NOVA, version: 2 };
            (Some("left"), vec![call(register)])
        }
        // The multisig is closed, the program's state is not.
        "dissolved" => {
            let to = NOVA;
            let actions =
                [Action::Transfer(VAULTS, to), Action::Transfer(OTHER, to), Action::Dissolve];
            let mut ops = vec![];
            for (by, action) in (0..).zip(actions) {
                let expires_at = now + 14 * DAY;
                let long_note = false;
                ops.push(call(Call::ProposeMultisig {
                    multisig: 0,
                    by,
                    action,
                    expires_at,
                    long_note,
                }));
                ops.extend(approve(Pid::Multisig(0, 1 + u64::from(by))));
            }
            ops.push(pass(TIMELOCK));
            ops.extend(
                [1, 2]
                    .map(|id| call(Call::ExecuteTransfer { on: Pid::Multisig(0, id), by: 2, to })),
            );
            ops.push(call(Call::ExecuteConfig { on: Pid::Multisig(0, 3), by: 2 }));
            ops.push(call(Call::CloseMultisig { multisig: 0, by: STRANGER }));
            (Some("completed"), ops)
        }
        "large" => {
            let mut ops = staged(0, OTHER, Code::Large(0), Role::Upgrade);
            ops.extend(staged(1, OTHER, Code::First(0), Role::Rollback));
            ops.push(upgrade(OTHER, (0, 1), 2, Scope::Nothing, now));
            ops.extend(approve(Pid::Upgrade(OTHER, 0, 0)));
            ops.push(pass(TIMELOCK));
            (Some("registered"), ops)
        }
        "forward" => {
            let mut ops = staged(2, VAULTS, Code::Second(1), Role::Upgrade);
            ops.extend(staged(3, VAULTS, Code::Second(0), Role::Rollback));
            let plan = Plan {
                to: 3,
                oldest: 1,
                scope: Scope::Nothing,
                manifest: false,
                expires_at: now + 14 * DAY,
                forward: true,
            };
            let propose = Call::Propose { program: VAULTS, by: 1, upgrade: 2, rollback: 3, plan };
            ops.push(call(propose));
            ops.extend(approve(Pid::Upgrade(VAULTS, 0, 1)));
            ops.push(pass(TIMELOCK));
            (Some("executed"), ops)
        }
        other => panic!("no stage is called {other}"),
    }
}

/// Model and chain at `stage`.
pub fn at(stage: &str) -> Pair {
    static BUILT: OnceLock<Mutex<HashMap<String, Pair>>> = OnceLock::new();
    let built = BUILT.get_or_init(Mutex::default);
    let lock = || built.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pair) = lock().get(stage) {
        return pair.clone();
    }
    let mut pair = match script(stage, 0) {
        (None, _) => Pair::new(),
        (Some(before), _) => at(before),
    };
    let (_, ops) = script(stage, pair.model.now.time);
    for (i, op) in ops.iter().enumerate() {
        if let Err(difference) = pair.step(op) {
            let done = readable(&ops[..=i], &pair.log);
            panic!("on the way to {stage}:\n{done}\n  step {i}: {difference}");
        }
    }
    pair.log.clear();
    pair.tally.clear();
    lock().entry(stage.into()).or_insert(pair).clone()
}
