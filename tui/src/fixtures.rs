//! Test values: one multisig of five, one program, one proposal at every stage. Times are chain times; no function
//! reads a clock.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use backend::{Check, Fact, Simulation, Step, Verb};
use indexer::{AuditRow, Conn, Health, ProgressRow, Row, SentRow, View};
use ratatui::{Terminal, backend::TestBackend};
use solana_pubkey::Pubkey;
use upgrade_manager::state::*;

use crate::{
    model::{
        Model, SandboxMember, cluster::Cluster, job::PreflightView, snapshot::Snapshot, ui::Drawn,
    },
    theme::Theme,
};

pub const START: i64 = 1_767_225_600;
pub const SLOT: u64 = 400_000;

pub fn key(n: u8) -> Pubkey {
    Pubkey::new_from_array([n; 32])
}

#[derive(Clone)]
pub struct Fixture {
    pub multisig: MultisigConfig,
    pub state: ProgramUpgradeState,
    pub proposal: UpgradeProposal,
}

pub fn active(approvals: u8) -> Fixture {
    let members = (1..=5).map(|i| MemberArgs { key: key(i), roles: role::ALL }).collect();
    let rules = MultisigRules {
        threshold: 3,
        open_cap: 2,
        allow_durable_nonce: false,
        timelock_floor: 48 * 3_600,
        timelock: 48 * 3_600,
        execution_window: 72 * 3_600,
        rollback_window: 7 * 24 * 3_600,
        treasury: key(8),
        guardian: Some(key(7)),
        squads: None,
        members,
    };
    let mut multisig = MultisigConfig::new(rules, (key(9), 255), key(1), 0).unwrap();
    (multisig.next_proposal, multisig.programs, multisig.open_proposals) = (1, 1, 1);
    let elf =
        |n: u8| PinnedElf { buffer: key(n), len: 200_000, trimmed_len: 199_872, sha256: [n; 32] };
    let len = |n| LenRange { min: n, max: n };
    let terms = Terms {
        kind: ProposalKind::Upgrade,
        id: 0,
        genesis_hash: [7; 32],
        multisig: key(20),
        config_epoch: 0,
        program: key(30),
        program_data: key(31),
        upgrade: elf(32),
        rollback: elf(33),
        spill: key(8),
        from_version: 1,
        oldest_version: 1,
        to_version: 2,
        type_rules: vec![TypeRule {
            discriminator: [1; 8],
            version_offset: 8,
            version_width: 2,
            old_len: len(57),
            new_len: len(79),
            flags: 0,
        }],
        manifest: Manifest { root: [4; 32], count: 200 },
        expires_at: START + 30 * 24 * 3_600,
        source: Source::default(),
    };
    let votes = (1..=approvals)
        .map(|i| Vote { member: key(i), choice: Choice::Approve, at: START })
        .collect();
    let digest = terms.digest().unwrap();
    let proposal = UpgradeProposal {
        layout: LAYOUT,
        bump: 255,
        status: ProposalStatus::Active,
        proposer: key(1),
        payer: key(1),
        proposed_at: START,
        digest,
        terms,
        ballot: Ballot { votes, ..Ballot::default() },
        approved_at: 0,
        approved_slot: 0,
        eta: 0,
        window_end: 0,
        executed_at: 0,
        executed_slot: 0,
        rollback_until: 0,
        rollback_approved_at: 0,
        reserved: [0; 32],
    };
    let state = ProgramUpgradeState {
        layout: LAYOUT,
        bump: 255,
        authority_bump: 255,
        migrator_bump: 255,
        multisig: key(20),
        program: key(30),
        program_data: key(31),
        version: 1,
        elf_hash: [33; 32],
        previous_version: 1,
        previous_elf_hash: [33; 32],
        phase: Phase::Steady,
        live_proposal: Some(key(40)),
        roll_forward: None,
        last_executed: None,
        executed_slot: 0,
        executed_at: 0,
        counters: Counters::default(),
        payer: key(1),
        reserved: [0; 64],
    };
    Fixture { multisig, state, proposal }
}

pub fn timelocked() -> Fixture {
    let mut f = active(3);
    f.proposal.update_status(&f.multisig, START, SLOT).unwrap();
    f
}

pub fn migrating(migrated: u32, verified: u32) -> Fixture {
    let mut f = timelocked();
    let p = &mut f.proposal;
    p.status = ProposalStatus::Migrating;
    (p.executed_at, p.executed_slot) = (p.eta, SLOT * 2);
    p.rollback_until = p.eta + i64::from(f.multisig.rollback_window);
    f.state.phase = Phase::Migrating;
    f.state.last_executed = Some(key(40));
    f.state.version = 2;
    f.state.counters = Counters { total: 200, migrated, verified, ..Counters::default() };
    f
}

fn row<T>(pubkey: Pubkey, account: T) -> Row<T> {
    Row { pubkey, account, slot: SLOT, closed_slot: None }
}

fn records(n: u32) -> Vec<Row<AccountVersion>> {
    (0..n)
        .map(|i| {
            let mut bytes = [50u8; 32];
            bytes[..4].copy_from_slice(&i.to_le_bytes());
            let account = Pubkey::new_from_array(bytes);
            row(
                account,
                AccountVersion {
                    layout: LAYOUT,
                    bump: 255,
                    program: key(30),
                    account,
                    status: AccountStatus::Migrated,
                    version: 2,
                    previous_version: 1,
                    old_hash: [1; 32],
                    new_hash: [2; 32],
                    old_len: 57,
                    new_len: 79,
                    touched: false,
                    proposal: key(40),
                    slot: SLOT,
                    rent_paid: 0,
                    rent_payer: key(1),
                    payer: key(1),
                },
            )
        })
        .collect()
}

pub fn snapshot(f: &Fixture) -> Arc<Snapshot> {
    let c = f.state.counters;
    let progress = ProgressRow {
        migrated: u64::from(c.migrated),
        verified: u64::from(c.verified),
        ..ProgressRow::default()
    };
    let view = View {
        governance: vec![],
        multisigs: vec![row(key(20), f.multisig.clone())],
        programs: vec![row(key(30), f.state.clone())],
        proposals: vec![row(key(40), f.proposal.clone())],
        attestations: vec![],
        progress: [(key(30), progress)].into(),
        moved: [(key(40), progress)].into(),
        frontier: SLOT,
        rev: 1,
    };
    let audit = vec![AuditRow {
        seq: 1,
        slot: SLOT,
        tx_index: 0,
        ix_index: 0,
        inner_index: 0,
        signature: "5".repeat(88),
        time: Some(START),
        kind: "ProposalCreated".into(),
        actor: Some(key(1)),
        subject: Some(key(40)),
        detail: serde_json::json!({"id": 0, "accounts": 200}),
        payload: vec![],
        prev_hash: [0; 32],
        hash: [6; 32],
        row_checksum: [0; 32],
    }];
    let sent = vec![SentRow {
        at_ms: START * 1_000,
        verb: "approve".into(),
        proposal: Some(key(40)),
        signature: "4".repeat(88),
        slot: SLOT,
        units: Some(23_456),
        bytes: 512,
        elapsed_ms: 431,
        error: None,
    }];
    let n = c.migrated.saturating_add(c.verified);
    let records = [(key(30), records(n))].into();
    Arc::new(Snapshot { complete: true, view, audit, sent, records })
}

pub fn live(now: Instant, unix: i64, slot: u64) -> Health {
    Health {
        conn: Conn::Live,
        reasons: [].into(),
        slot,
        root: slot.saturating_sub(32),
        frontier: slot.saturating_sub(32),
        confirmed: slot,
        snapshot: Some(slot),
        chain_time: Some(unix),
        read_at: Some(now),
        stored: slot,
        stored_at: Some(now),
        last_frame: Some(now),
        ..Health::default()
    }
}

/// A connected model of the sandbox chain with the data of `f`, one hour after [`START`].
pub fn model(f: &Fixture, now: Instant) -> Model {
    let cluster = Cluster::identify("x", "http://127.0.0.1:8899", true);
    let mut model = Model::new(cluster, Theme::default(), now);
    model.signer = Some(key(2));
    model.health = live(now, START + 3_600, SLOT + 9_000);
    model.names.insert(key(30), "demo-vault".into());
    model.members = (1..=5)
        .map(|i| SandboxMember { name: format!("member-{i}"), key: key(i) })
        .inspect(|m| drop(model.names.insert(m.key, m.name.clone())))
        .collect();
    crate::update::update(&mut model, crate::action::Action::Loaded(snapshot(f)), now);
    draw_on(&mut model, (160, 50));
    model
}

/// Draws `model` on a terminal of this size and records what was visible, as the runtime does.
pub fn draw_on(model: &mut Model, (width, height): (u16, u16)) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut drawn = Drawn::default();
    terminal.draw(|frame| drawn = crate::view::draw(model, frame)).unwrap();
    let now = model.now;
    crate::update::update(model, crate::action::Action::Drawn(drawn), now);
}

/// As [`model`], on a shared cluster and without the sandbox's members.
pub fn shared(f: &Fixture, now: Instant) -> Model {
    let mut model = model(f, now);
    model.cluster = Cluster::identify("x", "https://rpc.example.com", false);
    model.members.clear();
    model
}

pub fn preflight(verb: Verb) -> PreflightView {
    let step = match verb {
        Verb::RollBack { .. } => Step::rollback(200, 41),
        verb => Step::of(verb),
    };
    PreflightView {
        verb,
        proposal: key(40),
        title: step.title("proposal 0 of demo-vault"),
        step,
        facts: vec![
            Fact { label: "program".into(), value: key(30).to_string() },
            Fact { label: "digest".into(), value: "ab".repeat(32) },
            Fact { label: "signer".into(), value: key(2).to_string() },
        ],
        checks: vec![
            Check::pass("The proposal is open for votes."),
            Check::warn("You are also its proposer."),
        ],
        simulation: Some(Simulation { units: 23_456, error: None, logs: vec![] }),
        transactions: 1,
        sendable: true,
    }
}

pub const SECOND: Duration = Duration::from_secs(1);
