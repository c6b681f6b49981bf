//! Test values: one multisig of five, one program, one proposal at every stage. Times are chain times;
//! nothing here reads a clock.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use backend::{Check, Fact, Simulation, Step, Verb};
use indexer::{AuditRow, Conn, Health, ProgressRow, Row, SentRow, View};
use ratatui::{Terminal, backend::TestBackend};
use solana_pubkey::Pubkey;
pub use upgrade_manager::fixtures::key;
use upgrade_manager::{fixtures, state::*};

use crate::{
    model::{Member, Model, cluster::Cluster, job::PreflightView, snapshot::Snapshot, ui::Drawn},
    theme::Theme,
};

pub const START: i64 = 1_767_225_600;
pub const SLOT: u64 = 400_000;

#[derive(Clone)]
pub struct Fixture {
    pub multisig: MultisigConfig,
    pub state: ProgramUpgradeState,
    pub proposal: UpgradeProposal,
}

pub fn active(approvals: u8) -> Fixture {
    let rules = MultisigRules {
        execution_window: 72 * 3_600,
        guardian: Some(key(7)),
        ..fixtures::rules((1..=5).map(key))
    };
    let mut multisig = MultisigConfig::new(rules, (key(9), 255), key(1), 0).unwrap();
    (multisig.next_proposal, multisig.programs, multisig.open_proposals) = (1, 1, 1);
    let elf = |n| PinnedElf { len: 200_000, trimmed_len: 199_872, ..fixtures::elf(n) };
    let terms = Terms {
        genesis_hash: [7; 32],
        multisig: key(20),
        program: key(30),
        program_data: key(31),
        upgrade: elf(32),
        rollback: elf(33),
        type_rules: vec![fixtures::type_rule(57, 79)],
        manifest: Manifest { root: [4; 32], count: 200 },
        ..fixtures::terms(START + 30 * 24 * 3_600)
    };
    let state = ProgramUpgradeState {
        bump: 255,
        authority_bump: 255,
        migrator_bump: 255,
        payer: key(1),
        ..fixtures::program_state(&terms, key(40))
    };
    let mut proposal =
        UpgradeProposal::new(terms, 255, (key(1), key(1)), &multisig, START).unwrap();
    proposal.ballot.votes = (1..=approvals)
        .map(|i| Vote { member: key(i), choice: Choice::Approve, at: START })
        .collect();
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

/// A connected control room on the sandbox chain with `f` on screen, one hour after the start.
pub fn model(f: &Fixture, now: Instant) -> Model {
    let cluster = Cluster::judge("x", "http://127.0.0.1:8899", true);
    let mut model = Model::new(cluster, Theme::default(), now);
    model.signer = Some(key(2));
    model.health = live(now, START + 3_600, SLOT + 9_000);
    model.names.insert(key(30), "demo-vault".into());
    model.members = (1..=5)
        .map(|i| Member { name: format!("member-{i}"), key: key(i) })
        .inspect(|m| drop(model.names.insert(m.key, m.name.clone())))
        .collect();
    crate::update::update(&mut model, crate::action::Action::Loaded(snapshot(f)), now);
    look(&mut model, (160, 50));
    model
}

/// Draws `model` on a terminal of this size and tells it what was to be seen, as the runtime does.
pub fn look(model: &mut Model, (width, height): (u16, u16)) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut drawn = Drawn::default();
    terminal.draw(|frame| drawn = crate::view::draw(model, frame)).unwrap();
    let now = model.now;
    crate::update::update(model, crate::action::Action::Drawn(drawn), now);
}

/// The same, on a cluster that other people use.
pub fn shared(f: &Fixture, now: Instant) -> Model {
    let mut model = model(f, now);
    model.cluster = Cluster::judge("x", "https://rpc.example.com", false);
    model.members.clear();
    model
}

pub fn shown(verb: Verb) -> PreflightView {
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
