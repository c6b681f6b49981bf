//! A multisig's decisions about itself by commands alone: new rules under the old timelock, the
//! guardian's veto and pause, the transfer of a program, dissolution, and the return of all rent.
use std::{
    thread,
    time::{Duration, Instant},
};

use anchor_lang::AccountDeserialize;
use backend::{FileSigner, Signer, instructions::program_data_address};
use e2e::live::Live;
use serde_json::Value;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{MultisigConfig, ProposalStatus};

const HOUR: u32 = 3_600;

struct ControlRoom {
    chain: Live,
    multisig: Pubkey,
    program: String,
}

fn key(path: &str) -> Pubkey {
    FileSigner::open(path.as_ref()).expect("a key").pubkey()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

impl ControlRoom {
    /// Five members with a threshold of three; the deployer is the guardian.
    fn open() -> Self {
        let chain = Live::start(1, 200, &["--bare"]);
        let guardian = FileSigner::open(&chain.ready.deployer).expect("a key").pubkey().to_string();
        let members: Vec<String> = (1..=5).map(|n| key(&chain.key(n)).to_string()).collect();
        let treasury = chain.ready.treasury.clone();
        let mut args = vec!["multisig", "create", "--threshold", "3", "--treasury", &treasury];
        args.extend(["--guardian", &guardian, "--yes"]);
        members.iter().for_each(|m| args.extend(["--member", m]));
        let made = chain.outsider_done(&args);
        let multisig = text(&made["multisig"]).parse().expect("an address");
        let program = chain.ready.program.clone();
        Self { chain, multisig, program }
    }

    fn config(&self) -> MultisigConfig {
        let client = self.chain.chain_client();
        let raw = self.chain.run(client.account(&self.multisig)).expect("the chain answers");
        let data = raw.expect("a multisig").data;
        MultisigConfig::try_deserialize(&mut data.as_slice()).expect("a multisig")
    }

    /// Proposes as member 1. Returns the proposal's address.
    fn propose(&self, args: &[&str]) -> String {
        let made = self.chain.done(1, &[args, &["--yes"]].concat());
        text(&made["proposal"]).to_owned()
    }

    fn approve(&self, proposal: &str) {
        for member in [1, 2, 3] {
            self.chain.done(member, &["approve", "--proposal", proposal, "--yes"]);
        }
    }

    fn refused(&self, member: usize, args: &[&str], word: &str) {
        let out = self.chain.command(member, &[args, &["--yes", "--json"]].concat());
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(!out.status.success() && said.contains(word), "{args:?}: {said}");
    }

    fn status_of(&self, proposal: &str) -> String {
        let status = self.chain.done(1, &["status"]);
        let rows = status["multisig_proposals"].as_array().expect("proposals");
        let row = rows.iter().find(|r| r["proposal"] == proposal);
        text(&row.unwrap_or_else(|| panic!("{proposal} is not in {status:#}"))["status"]).to_owned()
    }
}

fn new_rules(room: &ControlRoom) -> String {
    let gone = key(&room.chain.key(5)).to_string();
    let change = ["multisig", "propose-change", "--timelock-hours", "72", "--remove-member", &gone];
    room.refused(1, &["multisig", "propose-change", "--timelock-hours", "24"], "timelock");
    room.refused(1, &["multisig", "propose-change"], "Nothing would change");

    let vetoed = room.propose(&change);
    // A member's key would sign a vote instead.
    room.refused(2, &["veto", "--proposal", &vetoed], "cannot veto");
    room.chain.outsider_done(&["veto", "--proposal", &vetoed, "--yes"]);
    assert_eq!(room.status_of(&vetoed), ProposalStatus::Cancelled.name());

    let proposal = room.propose(&change);
    room.approve(&proposal);
    room.refused(4, &["execute", "--proposal", &proposal], "timelock");
    room.chain.advance(48 * HOUR + 60);
    let before = room.config();
    room.chain.done(4, &["execute", "--proposal", &proposal, "--yes"]);
    let after = room.config();
    assert_eq!((before.timelock, after.timelock), (48 * HOUR, 72 * HOUR));
    assert_eq!((before.members.len(), after.members.len()), (5, 4));
    assert_eq!(after.config_epoch, before.config_epoch + 1);
    proposal
}

fn pause(room: &ControlRoom) {
    room.refused(1, &["pause"], "guardian");
    room.chain.outsider_done(&["pause", "--yes"]);
    let status = room.chain.done(1, &["status"]);
    assert_eq!(status["multisigs"][0]["paused"], true, "{status:#}");
    for member in [1, 2, 3] {
        room.chain.done(member, &["unpause", "--yes"]);
    }
    room.refused(4, &["unpause"], "paused");
    assert_eq!(room.chain.done(1, &["status"])["multisigs"][0]["paused"], false);
}

fn handover(room: &ControlRoom) -> String {
    let multisig = room.multisig.to_string();
    let register = ["program", "register", "--program", &room.program, "--multisig", &multisig];
    room.chain.outsider_done(&[&register[..], &["--version", "1", "--yes"]].concat());
    assert_eq!(room.config().programs, 1);
    let new = key(&room.chain.key(2)).to_string();
    let transfer = ["program", "propose-transfer", "--program", &room.program];
    let proposal = room.propose(&[&transfer[..], &["--new-authority", &new]].concat());
    room.approve(&proposal);
    room.chain.advance(72 * HOUR + 60);
    let execute = ["execute", "--proposal", &proposal];
    room.refused(1, &execute, "must sign as well");
    let cosigner = room.chain.key(2);
    room.chain.done(1, &[&execute[..], &["--cosigner", &cosigner, "--yes"]].concat());
    let program: Pubkey = room.program.parse().expect("an address");
    let data = program_data_address(&program);
    let raw = room.chain.run(room.chain.chain_client().account(&data)).expect("the chain answers");
    assert_eq!(raw.expect("code").data[13..45], *new.parse::<Pubkey>().expect("a key").as_ref());
    assert_eq!(room.config().programs, 0);
    room.chain.done(3, &["close", "--state", &room.program, "--yes"]);
    proposal
}

/// The audit log, as soon as `event` is final.
fn history(room: &ControlRoom, event: &str) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let audit = room.chain.done(1, &["audit", "--limit", "200"]).to_string();
        if audit.contains(event) {
            return audit;
        }
        assert!(Instant::now() < end, "{event} is not in the audit log: {audit}");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_multisig_changes_its_rules_lets_a_program_go_and_ends_without_a_lamport_left() {
    let room = ControlRoom::open();
    let changed = new_rules(&room);
    pause(&room);
    let handed = handover(&room);

    let multisig = room.multisig.to_string();
    let ending = room.propose(&["multisig", "propose-dissolve"]);
    room.approve(&ending);
    room.refused(1, &["close", "--multisig", &multisig], "has not ended");
    room.chain.advance(72 * HOUR + 60);
    room.chain.done(3, &["execute", "--proposal", &ending, "--yes"]);
    assert!(room.config().dissolved);

    let status = room.chain.done(1, &["status"]);
    let rows = status["multisig_proposals"].as_array().expect("proposals").clone();
    assert_eq!(rows.len(), 4, "{status:#}");
    for proposal in [&changed, &handed, &ending] {
        assert_eq!(room.status_of(proposal), ProposalStatus::Executed.name());
    }
    for row in &rows {
        room.chain.done(2, &["close", "--proposal", text(&row["proposal"]), "--yes"]);
    }
    let report = room.chain.done(1, &["index", "--verify"]);
    assert_eq!(report["compared"], report["equal"], "{report}");
    let audit = history(&room, "MultisigDissolved");
    for event in ["GovernanceProposed", "ConfigChanged", "PauseChanged", "AuthorityTransferred"] {
        assert!(audit.contains(event), "{event} is not in the audit log");
    }
    assert!(!audit.contains("\"Unknown\""), "{audit}");
    room.chain.done(2, &["close", "--multisig", &multisig, "--yes"]);
    let client = room.chain.chain_client();
    let left = room.chain.run(client.program_accounts(&upgrade_manager::ID, &[]));
    assert_eq!(left.expect("the chain answers").len(), 0, "something of the manager's is left");
}
