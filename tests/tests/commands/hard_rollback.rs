//! A rollback in the middle of life: users have closed, used and opened vaults at every stage, who
//! paid for the growth has left nothing behind, and in the end one account cannot come back.
//! Longer than 400 lines, because the way from a bare chain to a proposal comes before it: only
//! vaults that are there by then, with keys of the test's own, are in the manifest.
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    process::Output,
    sync::Arc,
};

use anchor_lang::{AccountDeserialize, AccountSerialize};
use backend::{
    FileSigner, Signer,
    chain::{ChainClient, RawAccount},
};
use demo_vault::{
    client::{close_ix, deposit_ix, open_ix, set_limit_ix, type_rule, vault_address, withdraw_ix},
    v1, v2,
};
use e2e::{live::Live, robot};
use sandbox::{
    chain::{
        local_rpc::{self, SOL},
        snapshot::AccountSnapshot,
    },
    scenario::keys::new_key,
};
use serde_json::Value;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_system_interface::instruction::transfer;
use upgrade_manager::{
    seeds,
    state::{
        AccountStatus, AccountVersion, Phase, ProgramUpgradeState, ProposalStatus, UpgradeProposal,
    },
};

/// Vaults that the sandbox's own users hold and nobody touches.
const QUIET: u32 = 4;
/// Vaults that each of this test's users opens before the proposal.
const EACH: u32 = 6;
/// Lamports in each of those.
const FIRST: u64 = 500_000;

/// A chain with a proposal, and the users whose vaults it is about.
struct Desk {
    chain: Live,
    gateway: ChainClient,
    program: Pubkey,
    deployer: FileSigner,
    users: Vec<Arc<dyn Signer>>,
    proposal: Pubkey,
}

impl Desk {
    /// Vaults first, then a multisig and its proposal, so that the manifest holds them.
    fn open(users: usize) -> Self {
        let chain = Live::start(QUIET, 100, &["--bare"]);
        let gateway = chain.chain_client();
        let program = chain.ready.program.parse().expect("an address");
        let deployer = FileSigner::open(&chain.ready.deployer).expect("a key");
        let users = (0..users).map(|_| new_key()).collect();
        let proposal = Pubkey::default();
        let mut desk = Self { chain, gateway, program, deployer, users, proposal };
        for n in 0..desk.users.len() {
            let owner = desk.users[n].pubkey();
            desk.chain.run(local_rpc::airdrop(&desk.gateway, &owner, 10 * SOL)).expect("lamports");
            let fill = |i| [open_ix(&owner, i), deposit_ix(&owner, i, FIRST)];
            desk.user(n, (0..EACH).flat_map(fill).collect());
        }
        desk.proposal = desk.propose();
        desk
    }

    fn propose(&self) -> Pubkey {
        let program = self.program.to_string();
        let keys: Vec<String> = (1..=5).map(|n| self.member(n).pubkey().to_string()).collect();
        let mut multisig = vec!["multisig", "create", "--threshold", "3", "--timelock-hours", "48"];
        multisig.extend(["--treasury", &self.chain.ready.treasury]);
        for key in &keys {
            multisig.extend(["--member", key]);
        }
        let made = self.signs(&multisig);
        let multisig = made["multisig"].as_str().expect("an address");
        let register = [
            "program",
            "register",
            "--program",
            &program,
            "--multisig",
            multisig,
            "--version",
            "1",
        ];
        self.signs(&register);
        let file = e2e::elf::dir().join("demo_vault_v2.so").display().to_string();
        let new = self.signs(&["buffer", "upload", &file, "--program", &program]);
        let new = new["buffer"].as_str().expect("an address");
        let more = (e2e::elf::v2().len() - e2e::elf::v1().len()).to_string();
        self.signs(&["program", "extend", "--program", &program, "--bytes", &more]);
        let old = self.signs(&["buffer", "upload", "--live", "--program", &program]);
        let old = old["buffer"].as_str().expect("an address");
        for (buffer, role) in [(new, "upgrade"), (old, "rollback")] {
            let args = ["buffer", "freeze", "--buffer", buffer, "--program", &program];
            self.signs(&[&args[..], &["--role", role]].concat());
        }
        let rule = type_rule();
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
        let args = ["propose", "--program", &program, "--buffer", new, "--rollback-buffer", old];
        let more = ["--to-version", "2", "--type-rule", &rule, "--yes"];
        let made = self.chain.done(1, &[&args[..], &more].concat());
        made["proposal"].as_str().and_then(|p| p.parse().ok()).expect("an address")
    }

    /// A headless command under the deployer's key, which must succeed.
    fn signs(&self, args: &[&str]) -> Value {
        let mut flags = self.chain.flags("mirror", 1);
        let at = flags.iter().position(|f| f == "--keypair").expect("a key");
        flags[at + 1] = self.chain.ready.deployer.display().to_string();
        let mut command = std::process::Command::new(robot::control_room());
        command.args(flags).args(args).args(["--json", "--yes"]);
        let out = command.output().expect("the control room starts");
        let value = json(&out);
        assert!(out.status.success(), "{args:?}: {value:#}");
        value
    }

    fn member(&self, n: usize) -> FileSigner {
        FileSigner::open(self.chain.key(n).as_ref()).expect("a key")
    }

    /// User `n` sends `instructions` of the vault's own.
    fn user(&self, n: usize, instructions: Vec<Instruction>) {
        let signers = [&*self.users[n]];
        let sent = self.gateway.send_and_confirm("use a vault", &instructions, &signers);
        self.chain.run(sent).expect("the vault does it");
    }

    fn owner(&self, n: usize) -> Pubkey {
        self.users[n].pubkey()
    }

    fn vault(&self, n: usize, index: u32) -> Pubkey {
        vault_address(&self.owner(n), index)
    }

    fn raw(&self, address: &Pubkey) -> Option<RawAccount> {
        self.chain.run(self.gateway.account(address)).expect("the chain answers")
    }

    fn lamports(&self, address: &Pubkey) -> u64 {
        self.raw(address).map_or(0, |a| a.lamports)
    }

    fn rent(&self, len: usize) -> u64 {
        self.chain.run(self.gateway.rent(len)).expect("the chain answers")
    }

    fn read<T: AccountDeserialize>(&self, address: &Pubkey) -> T {
        let raw = self.raw(address).unwrap_or_else(|| panic!("{address} is gone"));
        T::try_deserialize(&mut raw.data.as_slice()).expect("an account of this layout")
    }

    fn state(&self) -> ProgramUpgradeState {
        self.read(&seeds::program_state(&self.program).0)
    }

    fn status(&self) -> ProposalStatus {
        self.read::<UpgradeProposal>(&self.proposal).status
    }

    fn snapshot(&self) -> AccountSnapshot {
        self.chain
            .run(AccountSnapshot::take(&self.gateway, &self.program))
            .expect("the chain answers")
    }

    /// Until code that was installed just now can be called.
    fn wait_until_callable(&self) {
        let next = self.state().executed_slot + 1;
        self.chain.run(local_rpc::wait_for_slot(&self.gateway, next)).expect("slots pass");
    }

    /// Votes, timelock, upgrade: the new code runs.
    fn upgrade(&self) {
        for member in [1, 2, 3] {
            self.chain.done(member, &["approve", "--yes"]);
        }
        self.chain.advance(48 * 3600 + 60);
        self.chain.done(4, &["execute", "--yes"]);
        self.wait_until_callable();
    }

    /// The mirror says what the chain says, account by account.
    fn mirrored(&self, accounts: u64) {
        let report = self.chain.done(1, &["index", "--verify"]);
        assert_eq!(report["differences"].as_array().map(Vec::len), Some(0), "{report:#}");
        assert_eq!(
            (&report["compared"], &report["equal"]),
            (&accounts.into(), &accounts.into()),
            "{report:#}"
        );
    }
}

fn json(out: &Output) -> Value {
    let text = String::from_utf8_lossy(&out.stdout);
    let errors = String::from_utf8_lossy(&out.stderr);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}:\n{text}\n{errors}"))
}

/// What a rollback shows before it is signed names exactly the accounts `born` on the new layout.
fn warns(value: &Value, born: &BTreeSet<Pubkey>) {
    let checks = value["checks"].as_array().expect("checks");
    let says = |c: &&Value| {
        c["sentence"].as_str().is_some_and(|s| s.contains("made on the new layout since"))
    };
    let found = checks.iter().find(says).unwrap_or_else(|| panic!("no warning: {value:#}"));
    assert_eq!(found["verdict"], "warn");
    names(&found["sentence"], born);
}

fn names(sentence: &Value, born: &BTreeSet<Pubkey>) {
    let said = sentence.as_str().expect("a sentence");
    assert!(said.contains(&format!("{} accounts were made", born.len())), "{said}");
    for address in born {
        assert!(said.contains(&address.to_string()), "{address} is missing in: {said}");
    }
}

#[test]
fn what_users_did_meanwhile_survives_the_way_back() {
    let desk = Desk::open(2);
    let (ann, bob) = (desk.owner(0), desk.owner(1));
    // On the old code still: two are closed, and one is opened that no manifest knows.
    desk.user(0, vec![close_ix(&ann, 0), close_ix(&ann, 1)]);
    desk.user(0, vec![open_ix(&ann, 7), deposit_ix(&ann, 7, 70_000)]);
    let before = desk.snapshot();
    assert_eq!(before.0.len(), (QUIET + 2 * EACH - 2 + 1) as usize);

    desk.upgrade();
    // One of the two lives again, on the new layout, before anybody has accounted for it.
    desk.user(0, vec![open_ix(&ann, 1)]);
    let done = desk.chain.done(5, &["migrate", "--yes"]);
    let summary = done["receipt"]["summary"].as_str().expect("a summary");
    assert!(summary.contains("2 accounted for as closed"), "{summary}");
    desk.chain.done(1, &["verify", "--yes"]);
    assert_eq!((desk.status(), desk.state().phase), (ProposalStatus::Completed, Phase::Steady));

    use_the_new_code(&desk);
    empty_the_payer(&desk);

    // The vault that lives again is one of those that the old code will not know.
    let born = BTreeSet::from([desk.vault(0, 1), desk.vault(0, 6)]);
    for member in [1, 2, 3] {
        warns(&desk.chain.done(member, &["rollback", "--yes"]), &born);
    }
    assert_eq!(desk.state().phase, Phase::RollingBack);
    // Users do not wait for a rollback that is under way.
    desk.user(1, vec![close_ix(&bob, 0)]);
    desk.user(1, vec![deposit_ix(&bob, 1, 11_000)]);

    let done = desk.chain.done(4, &["rollback", "--yes"]);
    warns(&done, &born);
    names(&done["receipt"]["summary"], &born);
    let state = desk.state();
    assert_eq!(desk.status(), ProposalStatus::RolledBack);
    assert_eq!((state.version, state.phase), (1, Phase::Steady));
    assert_eq!(state.counters.on_new_layout(), 0);
    as_they_must_be(&desk, &before);

    // Everything that migrated and still exists gave its growth back, to an account that was gone.
    let restored = before.0.len() as u64 - 2;
    assert_eq!(u64::from(state.counters.restored), restored);
    let growth = desk.rent(v2::LEN) - desk.rent(v1::LEN);
    let payer = desk.member(5).pubkey();
    assert_eq!(desk.lamports(&payer), desk.rent(0) + restored * growth);

    // The old code serves what came back, whether it was touched or not.
    desk.wait_until_callable();
    desk.user(0, vec![withdraw_ix(&ann, 2, 1), deposit_ix(&ann, 4, 1)]);
    desk.user(1, vec![withdraw_ix(&bob, 3, FIRST), close_ix(&bob, 4)]);
    // One record for each account that migrated or was written down as closed.
    desk.mirrored(u64::from(QUIET + 2 * EACH + 1) + 5);
}

/// What users do between the upgrade and the votes against it.
fn use_the_new_code(desk: &Desk) {
    let (ann, bob) = (desk.owner(0), desk.owner(1));
    desk.user(0, vec![deposit_ix(&ann, 2, 22_000), set_limit_ix(&ann, 2, 5)]);
    desk.user(0, vec![withdraw_ix(&ann, 3, 33_000)]);
    desk.user(0, vec![set_limit_ix(&ann, 4, 44)]);
    desk.user(0, vec![close_ix(&ann, 5)]);
    desk.user(0, vec![open_ix(&ann, 6), deposit_ix(&ann, 6, 66_000)]);
    desk.user(1, vec![close_ix(&bob, 2)]);
    desk.user(1, vec![open_ix(&bob, 2), deposit_ix(&bob, 2, 2_000)]);
    // Born on the new layout and gone again: nothing to warn of.
    desk.user(1, vec![open_ix(&bob, 6)]);
    desk.user(1, vec![close_ix(&bob, 6)]);
}

/// Member 5, who paid for the growth of every vault, takes everything out of the account.
fn empty_the_payer(desk: &Desk) {
    let member = desk.member(5);
    let all = desk.lamports(&member.pubkey());
    let out = transfer(&member.pubkey(), &desk.deployer.pubkey(), all);
    let signers: [&dyn Signer; 2] = [&desk.deployer, &member];
    desk.chain
        .run(desk.gateway.send_and_confirm("leave", &[out], &signers))
        .expect("the lamports move");
    assert!(desk.raw(&member.pubkey()).is_none());
}

/// Every vault after the rollback against what it was before the upgrade.
fn as_they_must_be(desk: &Desk, before: &AccountSnapshot) {
    let mut expected = before.clone();
    // Deposits, and what they and withdrawals changed in lamports.
    let changed = [
        (desk.vault(0, 2), FIRST + 22_000, 2),
        (desk.vault(0, 3), FIRST - 33_000, 1),
        (desk.vault(0, 4), FIRST, 1),
        (desk.vault(1, 1), FIRST + 11_000, 2),
        (desk.vault(1, 2), 2_000, 1),
    ];
    for (address, balance, deposits) in changed {
        let account = expected.0.get_mut(&address).expect("a vault");
        let mut vault =
            v1::Vault::try_deserialize(&mut account.data.as_slice()).expect("the old layout");
        (vault.balance, vault.deposits) = (balance, deposits);
        account.data = bytes(&vault);
        account.lamports = desk.rent(v1::LEN) + balance;
    }
    for closed in [desk.vault(0, 5), desk.vault(1, 0)] {
        expected.0.remove(&closed).expect("it was there");
    }
    let mut after = desk.snapshot();
    for (index, balance) in [(1, 0), (6, 66_000)] {
        let left = after.0.remove(&desk.vault(0, index)).expect("left behind, not lost");
        let vault = v2::Vault::try_deserialize(&mut left.data.as_slice()).expect("the new layout");
        assert_eq!((vault.balance, left.lamports), (balance, desk.rent(v2::LEN) + balance));
    }
    assert_eq!(expected.differences(&after), Vec::<String>::new());
}

fn bytes(account: &impl AccountSerialize) -> Vec<u8> {
    let mut out = vec![];
    account.try_serialize(&mut out).expect("bytes");
    out
}

#[test]
fn what_cannot_come_back_keeps_the_old_code_out_until_members_give_it_up() {
    let desk = Desk::open(1);
    let before = desk.snapshot();
    desk.upgrade();
    desk.chain.done(5, &["migrate", "--yes"]);

    // More deposits than the old layout can count.
    let stuck = desk.vault(0, 3);
    let mut account = desk.raw(&stuck).expect("a vault");
    let mut vault: v2::Vault = desk.read(&stuck);
    vault.deposits = 70_000;
    account.data = bytes(&vault);
    set_account(&desk, &stuck, &account);

    for member in [1, 2, 3] {
        desk.chain.done(member, &["rollback", "--yes"]);
    }
    let out = desk.chain.command(4, &["rollback", "--yes", "--json"]);
    let value = json(&out);
    assert_eq!(out.status.code(), Some(1), "{value:#}");
    let failures = value["receipt"]["failures"].as_array().expect("failures");
    let says = |word: &str| failures.iter().any(|f| f.as_str().is_some_and(|f| f.contains(word)));
    assert!(says(&stuck.to_string()) && says("the old code stays out"), "{value:#}");
    let state = desk.state();
    assert_eq!((state.version, state.phase), (2, Phase::RollingBack));
    assert_eq!((state.counters.on_new_layout(), state.counters.restored), (1, QUIET + EACH - 1));

    for member in [1, 2, 3] {
        let vote = desk.chain.done(member, &["rollback", "--give-up", "--yes"]);
        assert_eq!(vote["receipt"]["sent"].as_array().map(Vec::len), Some(1), "{vote:#}");
    }
    // The account is tried once more and fails again, which is told, and does not stop the code.
    let value = desk.chain.done(4, &["rollback", "--give-up", "--yes"]);
    let summary = value["receipt"]["summary"].as_str().expect("a summary");
    assert!(summary.contains("1 were given up"), "{summary}");
    assert!(summary.contains(&stuck.to_string()), "{summary}");
    assert_eq!(value["receipt"]["failures"].as_array().map(Vec::len), Some(0), "{value:#}");
    assert!(summary.contains("the old code is back"), "{summary}");
    assert_eq!(desk.status(), ProposalStatus::RolledBack);
    assert_eq!((desk.state().version, desk.state().phase), (1, Phase::Steady));
    let record: AccountVersion = desk.read(&seeds::account_version(&desk.program, &stuck).0);
    assert_eq!((record.status, record.version), (AccountStatus::Migrated, 2));

    let mut expected = before;
    expected.0.insert(stuck, account);
    assert_eq!(expected.differences(&desk.snapshot()), Vec::<String>::new());
    desk.wait_until_callable();
    desk.user(0, vec![withdraw_ix(&desk.owner(0), 2, FIRST)]);
    desk.mirrored(u64::from(QUIET + EACH) + 5);
}

/// Writes an account as only a local chain lets anyone.
fn set_account(desk: &Desk, address: &Pubkey, account: &RawAccount) {
    let fields = serde_json::json!({
        "lamports": account.lamports,
        "owner": account.owner.to_string(),
        "data": hex::encode(&account.data),
    });
    let body = serde_json::json!({
        "jsonrpc": "2.0", "id": 1, "method": "surfnet_setAccount",
        "params": [address.to_string(), fields],
    })
    .to_string();
    let host = desk.chain.ready.http.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).expect("the chain listens");
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("\"result\"") && !answer.contains("\"error\""), "{answer}");
    assert_eq!(desk.raw(address).as_ref(), Some(account));
}
