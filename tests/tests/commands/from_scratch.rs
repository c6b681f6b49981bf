//! A multisig with a program and nothing else: every step from an empty manager to closed accounts, by
//! the control room's commands alone.
use std::{
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anchor_lang::AccountDeserialize;
use backend::{
    FileSigner, Signer,
    chain::{ChainClient, RawAccount},
    elf,
    instructions::{freeze_buffer, program_data_address},
};
use e2e::{live::Live, relay::Relay, robot};
use serde_json::Value;
use solana_pubkey::Pubkey;
use upgrade_manager::{
    seeds,
    state::{BufferRole, MultisigConfig, Phase, ProgramUpgradeState, UpgradeProposal, role},
};

const VAULTS: u32 = 20;
const HOUR: u32 = 3_600;
const DAY: u32 = 24 * HOUR;

/// The bare chain and the key that deployed its programs.
struct Setup {
    chain: Live,
    client: ChainClient,
    program: Pubkey,
    deployer: Pubkey,
}

impl Setup {
    fn open() -> Self {
        let chain = Live::start(VAULTS, 200, &["--bare"]);
        assert!(chain.ready.multisig.is_none() && chain.ready.proposal.is_none());
        let client = chain.chain_client();
        let program = chain.ready.program.parse().expect("an address");
        let deployer = FileSigner::open(&chain.ready.deployer).expect("a key").pubkey();
        Self { chain, client, program, deployer }
    }

    /// A command under the deployer's key.
    fn command(&self, args: &[&str]) -> Command {
        self.command_by(self.chain.flags("mirror", 1), args)
    }

    /// The same with other `flags`.
    fn command_by(&self, mut flags: Vec<String>, args: &[&str]) -> Command {
        let at = flags.iter().position(|f| f == "--keypair").expect("a key");
        flags[at + 1] = self.chain.ready.deployer.display().to_string();
        let mut command = Command::new(robot::control_room());
        command.args(flags).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the control room starts")
    }

    /// Runs the command without `--yes`, which signs nothing, then with it.
    fn signs(&self, args: &[&str]) -> Value {
        let shown = self.run(&[args, &["--json"]].concat());
        let value = json(&shown);
        assert_eq!(shown.status.code(), Some(2), "{args:?}: {value:#}");
        assert_eq!((&value["signed"], &value["receipt"]), (&Value::from(false), &Value::Null));
        let out = self.run(&[args, &["--json", "--yes"]].concat());
        let value = json(&out);
        assert_eq!(out.status.code(), Some(0), "{args:?}: {value:#}");
        assert_eq!((&value["signed"], &value["error"]), (&Value::from(true), &Value::Null));
        value
    }

    /// Checks that the command fails with `word` in its sentence.
    fn refuses(&self, args: &[&str], word: &str) -> Value {
        let out = self.run(&[args, &["--json", "--yes"]].concat());
        let value = json(&out);
        assert_eq!(out.status.code(), Some(1), "{args:?}: {value:#}");
        let said = value["error"].as_str().unwrap_or_default();
        assert!(said.contains(word), "{word:?} is missing in {said:?}");
        value
    }

    fn raw(&self, address: &Pubkey) -> Option<RawAccount> {
        self.chain.run(self.client.account(address)).expect("the chain answers")
    }

    fn read<T: AccountDeserialize>(&self, address: &Pubkey) -> T {
        let raw = self.raw(address).expect("an account");
        T::try_deserialize(&mut raw.data.as_slice()).expect("the manager's account")
    }

    fn state(&self) -> ProgramUpgradeState {
        self.read(&seeds::program_state(&self.program).0)
    }

    fn lamports(&self, address: &Pubkey) -> u64 {
        self.raw(address).map_or(0, |a| a.lamports)
    }

    fn show(&self, buffer: &str) -> Value {
        json(&self.run(&["buffer", "show", buffer, "--json"]))
    }
}

fn json(out: &Output) -> Value {
    let text = String::from_utf8_lossy(&out.stdout);
    let errors = String::from_utf8_lossy(&out.stderr);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}:\n{text}\n{errors}"))
}

fn fact<'a>(value: &'a Value, label: &str) -> &'a str {
    let facts = value["facts"].as_array().expect("facts");
    let found = facts.iter().find(|f| f["label"] == label);
    found.and_then(|f| f["value"].as_str()).unwrap_or_else(|| panic!("no {label} in {value:#}"))
}

/// The verdict of the preflight's check whose sentence contains `words`.
fn verdict<'a>(value: &'a Value, words: &str) -> &'a str {
    let checks = value["checks"].as_array().expect("checks");
    let says = |c: &&Value| c["sentence"].as_str().is_some_and(|s| s.contains(words));
    let found = checks.iter().find(says).unwrap_or_else(|| panic!("no {words:?} in {value:#}"));
    found["verdict"].as_str().expect("a verdict")
}

fn address(value: &Value) -> Pubkey {
    value.as_str().and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("no address: {value}"))
}

/// A 3-of-5 multisig; one member may only vote.
fn create_multisig(setup: &Setup) -> Pubkey {
    let keys: Vec<String> = (1..=5)
        .map(|n| FileSigner::open(setup.chain.key(n).as_ref()).expect("a key").pubkey().to_string())
        .collect();
    let roles = |n: usize| if n == 4 { ":vote" } else { "" };
    let members: Vec<String> =
        keys.iter().enumerate().map(|(n, key)| format!("{key}{}", roles(n))).collect();
    let treasury = setup.chain.ready.treasury.clone();
    let mut args = vec!["multisig", "create", "--timelock-hours", "48", "--window-hours", "72"];
    args.extend(["--rollback-window-days", "3", "--treasury", &treasury, "--open-cap", "2"]);
    for member in &members {
        args.extend(["--member", member]);
    }
    setup.refuses(&[&args[..], &["--threshold", "2"]].concat(), "threshold");
    let made = setup.signs(&[&args[..], &["--threshold", "3"]].concat());
    let multisig = address(&made["multisig"]);
    let config: MultisigConfig = setup.read(&multisig);
    assert_eq!((config.threshold, config.members.len(), config.open_cap), (3, 5, 2));
    assert_eq!((config.timelock, config.timelock_floor), (48 * HOUR, 48 * HOUR));
    assert_eq!((config.execution_window, config.rollback_window), (72 * HOUR, 3 * DAY));
    assert_eq!(config.treasury.to_string(), treasury);
    let voter = keys[4].parse().expect("an address");
    assert_eq!(config.member(&voter).map(|m| m.roles), Some(role::VOTE));
    multisig
}

fn register(setup: &Setup, multisig: &Pubkey) {
    let (program, multisig_arg) = (setup.program.to_string(), multisig.to_string());
    let register = [
        "program",
        "register",
        "--program",
        &program,
        "--multisig",
        &multisig_arg,
        "--version",
        "1",
    ];
    // A member is not the upgrade authority.
    let wrong = setup.chain.command(2, &[&register[..], &["--yes", "--json"]].concat());
    assert_eq!(wrong.status.code(), Some(1));
    assert!(json(&wrong)["error"].as_str().is_some_and(|s| s.contains("upgrade authority")));
    let done = setup.signs(&register);
    let authority = seeds::authority(&setup.program).0.to_string();
    assert_eq!(fact(&done, "Upgrade authority AFTERWARDS"), authority);
    assert_eq!(verdict(&done, "THE UPGRADE AUTHORITY MOVES"), "warn");
    let live = setup.raw(&program_data_address(&setup.program)).expect("code");
    assert_eq!(live.data[13..45], *seeds::authority(&setup.program).0.as_ref());
    let state = setup.state();
    assert_eq!((state.version, state.multisig, state.phase), (1, *multisig, Phase::Steady));
    assert_eq!(state.elf_hash, elf::verify_hash(e2e::elf::v1()));
    setup.refuses(&register, "registered already");
}

/// Uploads the new code in a process that is killed half way and started again; extends the
/// program.
fn upload_new(setup: &Setup) -> String {
    let file = e2e::elf::dir().join("demo_vault_v2.so").display().to_string();
    let program = setup.program.to_string();
    let upload = ["buffer", "upload", &file, "--program", &program, "--json"];
    let other = setup.chain.ready.deployer.display().to_string();
    setup.refuses(&["buffer", "upload", &other], "does not start like an ELF");
    setup.refuses(&["--read-only", "buffer", "upload", &file], "read-only");
    setup.refuses(&["buffer", "upload", &file, "--resume", "/nowhere/key.json"], "/nowhere");
    let shown = json(&setup.run(&upload));
    assert_eq!(verdict(&shown, "program extend --program"), "warn", "v2 is longer than v1");
    let hash = hex::encode(elf::verify_hash(e2e::elf::v2()));
    let key_file = setup.chain.folder("mirror").join(format!("buffers/file-{hash}.json"));
    assert!(!key_file.exists(), "nothing is written before --yes");

    // The buffer exists with a part of its content; the relay holds the rest back until the kill.
    let relay = Relay::with_sends(&setup.chain.ready.http, 5);
    let by_relay = setup.chain.flags_by(&relay, "mirror", 1);
    let mut killed = setup
        .command_by(by_relay, &[&upload[..], &["--yes"]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the control room starts");
    let end = Instant::now() + Duration::from_secs(60);
    let half = loop {
        if key_file.exists()
            && let Ok(key) = FileSigner::open(&key_file)
            && setup.raw(&key.pubkey()).is_some()
        {
            break key.pubkey();
        }
        assert!(Instant::now() < end, "the upload does not start");
        thread::sleep(Duration::from_millis(5));
    };
    killed.kill().expect("a process to kill");
    killed.wait().expect("its end");
    assert!(key_file.exists(), "it was complete before the kill: nothing was shown");

    let done = setup.signs(&upload[..5]);
    assert_eq!(address(&done["buffer"]), half, "the same buffer goes on");
    assert_eq!(fact(&done, "solana-verify hash, sha256"), hash);
    assert!(!key_file.exists(), "the key file goes when the buffer is complete");

    let (v1, v2) = (e2e::elf::v1().len(), e2e::elf::v2().len());
    let bytes = (v2 - v1).to_string();
    let extend = ["program", "extend", "--program", &program, "--bytes", &bytes];
    setup.signs(&extend);
    let room = setup.raw(&program_data_address(&setup.program)).expect("code").data.len() - 45;
    assert!(room >= v2, "{room} bytes for {v2}");
    half.to_string()
}

fn upload_live(setup: &Setup) -> String {
    let program = setup.program.to_string();
    let done = setup.signs(&["buffer", "upload", "--live", "--program", &program]);
    let hash = hex::encode(elf::verify_hash(e2e::elf::v1()));
    assert_eq!(fact(&done, "solana-verify hash, sha256"), hash);
    assert_eq!(fact(&done, "Same as the code that runs"), "yes");
    done["buffer"].as_str().expect("an address").to_owned()
}

fn freeze(setup: &Setup, buffer: &str, role: &str) {
    let program = setup.program.to_string();
    let before = setup.show(buffer);
    assert_eq!(before["authority"], setup.deployer.to_string());
    assert_eq!((&before["frozen"], &before["attested"]), (&false.into(), &false.into()));
    let args = ["buffer", "freeze", "--buffer", buffer, "--program", &program, "--role", role];
    let done = setup.signs(&args);
    let sent = done["receipt"]["sent"].as_array().map(Vec::len);
    assert_eq!(sent, Some(1), "frozen and attested in one transaction: {done:#}");
    let after = setup.show(buffer);
    assert_eq!(after["authority"], seeds::authority(&setup.program).0.to_string());
    assert_eq!((&after["frozen"], &after["attested"]), (&true.into(), &true.into()));
    assert_eq!(after["sha256"], before["sha256"]);
    assert_eq!(after["role"].as_str().map(str::to_lowercase).as_deref(), Some(role));
    setup.refuses(&args, "attested already");
}

fn propose(setup: &Setup, new: &str, old: &str) -> Pubkey {
    let rule = demo_vault::client::type_rule();
    let rule = format!(
        "{}:{}:{}:{}-{}:{}-{}",
        hex::encode(rule.discriminator),
        rule.version_offset,
        rule.version_width,
        rule.old_len.0,
        rule.old_len.1,
        rule.new_len.0,
        rule.new_len.1
    );
    let program = setup.program.to_string();
    let mut args = vec!["propose", "--program", &program, "--buffer", new];
    args.extend(["--rollback-buffer", old, "--to-version", "2", "--type-rule", &rule, "--yes"]);
    let made = setup.chain.done(1, &args);
    assert_eq!(fact(&made, "Accounts in manifest"), VAULTS.to_string());
    assert_eq!(setup.show(new)["proposal"], made["proposal"], "pinned");
    address(&made["proposal"])
}

#[test]
fn a_multisig_comes_from_nothing_to_a_closed_upgrade_by_commands_alone() {
    let setup = Setup::open();
    let status = setup.chain.done(1, &["status"]);
    assert_eq!(status["programs"].as_array().map(Vec::len), Some(0), "{status}");
    let program = setup.program.to_string();

    let multisig = create_multisig(&setup);
    register(&setup, &multisig);
    let new = upload_new(&setup);
    let old = upload_live(&setup);
    // A copy of the running code is refused as the upgrade, and new code as the rollback.
    let swapped = ["buffer", "freeze", "--buffer", &new, "--program", &program];
    setup.refuses(&[&swapped[..], &["--role", "rollback"]].concat(), "code that runs");
    freeze(&setup, &new, "upgrade");
    freeze(&setup, &old, "rollback");
    let proposal = propose(&setup, &new, &old);
    setup.refuses(&["close", "--buffer", &new], "has pinned the buffer");
    setup.refuses(&["close", "--proposal", &proposal.to_string()], "when its proposal has ended");

    for member in [1, 2, 3] {
        setup.chain.done(member, &["approve", "--yes"]);
    }
    setup.chain.advance(48 * HOUR + 60);
    setup.chain.done(2, &["execute", "--yes"]);
    setup.chain.done(3, &["migrate", "--yes"]);
    setup.chain.done(1, &["verify", "--yes"]);
    let state = setup.state();
    assert_eq!((state.version, state.phase), (2, Phase::Steady));
    assert_eq!(state.elf_hash, elf::verify_hash(e2e::elf::v2()));
    assert_eq!((state.counters.verified, state.counters.total), (VAULTS, VAULTS));

    close(&setup, &proposal, [&new, &old]);
    unused_buffers(&setup);
}

/// Nothing is closed before the rollback window ends; then all rent goes back to its payers.
fn close(setup: &Setup, proposal: &Pubkey, buffers: [&str; 2]) {
    setup.refuses(&["close"], "can still be rolled back");
    setup.chain.advance(3 * DAY + 60);
    let known: UpgradeProposal = setup.read(proposal);
    let attestations = buffers.map(|b| seeds::attestation(&b.parse().expect("an address")).0);
    let rollback: Pubkey = buffers[1].parse().expect("an address");
    let due: u64 = attestations.iter().chain([&rollback]).map(|a| setup.lamports(a)).sum();
    let (payer_due, before) = (setup.lamports(proposal), setup.lamports(&setup.deployer));
    let payer_before = setup.lamports(&known.payer);

    let done = setup.signs(&["close"]);
    assert_eq!(done["proposal"], proposal.to_string());
    assert_eq!(fact(&done, "Version records"), VAULTS.to_string());
    let sent = done["receipt"]["sent"].as_array().expect("transactions");
    let fees = 5_000 * sent.len() as u64;
    assert_eq!(setup.lamports(&setup.deployer), before + due - fees, "the deployer's rent");
    assert_eq!(setup.lamports(&known.payer), payer_before + payer_due, "the proposer's rent");
    for gone in attestations.iter().chain([proposal, &rollback]) {
        assert!(setup.raw(gone).is_none(), "{gone} is still there");
    }
    setup.refuses(&["close"], "No proposal has ended");
    let left = setup.chain.run(setup.client.program_accounts(&upgrade_manager::ID, &[]));
    let left = left.expect("the chain answers");
    assert_eq!(left.len(), 2, "the multisig and the program's state alone stay");
    let report = setup.chain.done(1, &["index", "--verify"]);
    assert_eq!((&report["compared"], &report["equal"]), (&2.into(), &2.into()), "{report}");
}

/// Buffers that no proposal pins: one as it was uploaded, one frozen by a run that then stopped.
fn unused_buffers(setup: &Setup) {
    let program = setup.program.to_string();
    let upload = || {
        let done = setup.signs(&["buffer", "upload", "--live", "--program", &program]);
        done["buffer"].as_str().expect("an address").to_owned()
    };
    let plain = upload();
    let before = setup.lamports(&setup.deployer);
    let rent = setup.lamports(&plain.parse().expect("an address"));
    setup.signs(&["close", "--buffer", &plain]);
    assert_eq!(setup.lamports(&setup.deployer), before + rent - 5_000);

    let half = upload();
    let address: Pubkey = half.parse().expect("an address");
    let key = FileSigner::open(&setup.chain.ready.deployer).expect("a key");
    let (holder, role) = (key.pubkey(), BufferRole::Rollback);
    let freeze = [freeze_buffer(&holder, &holder, &setup.program, &address, role)];
    let signers: [&dyn Signer; 1] = [&key];
    let frozen = setup.client.send_and_confirm("freeze buffer", &freeze, &signers);
    setup.chain.run(frozen).expect("a frozen buffer");
    assert_eq!(setup.show(&half)["attested"], false);
    let args = ["buffer", "freeze", "--buffer", &half, "--program", &program, "--role"];
    setup.refuses(&[&args[..], &["upgrade"]].concat(), "was frozen for program");
    let done = setup.signs(&[&args[..], &["rollback"]].concat());
    assert_eq!(verdict(&done, "only its hash is taken"), "pass");
    assert_eq!(setup.show(&half)["attested"], true);
    let wrong = setup.chain.command(2, &["close", "--buffer", &half, "--yes", "--json"]);
    assert_eq!(wrong.status.code(), Some(1), "only who held it gets its rent");
    setup.signs(&["close", "--buffer", &half]);
    assert!(setup.raw(&address).is_none() && setup.raw(&seeds::attestation(&address).0).is_none());
}
