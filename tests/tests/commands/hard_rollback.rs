//! A rollback under use: users have closed, used and opened vaults at every stage, the wallet that
//! paid for the growth is empty, and one account cannot be restored. Longer than 400 lines, because
//! the tests set up a bare chain themselves: the manifest must hold vaults whose keys the test has.
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

/// Vaults of the sandbox's own users, which no test changes.
const UNUSED_VAULTS: u32 = 4;
/// Vaults that each of this test's users opens before the proposal.
const VAULTS_PER_USER: u32 = 6;
/// Lamports in each of those.
const FIRST_DEPOSIT: u64 = 500_000;

/// A chain with a proposal, and the users whose vaults it migrates.
struct Setup {
    chain: Live,
    client: ChainClient,
    program: Pubkey,
    deployer: FileSigner,
    users: Vec<Arc<dyn Signer>>,
    proposal: Pubkey,
}

impl Setup {
    /// Vaults first, then a multisig and its proposal, so that the manifest holds them.
    fn open(users: usize) -> Self {
        let chain = Live::start(UNUSED_VAULTS, 100, &["--bare"]);
        let client = chain.chain_client();
        let program = chain.ready.program.parse().expect("an address");
        let deployer = FileSigner::open(&chain.ready.deployer).expect("a key");
        let users = (0..users).map(|_| new_key()).collect();
        let proposal = Pubkey::default();
        let mut setup = Self { chain, client, program, deployer, users, proposal };
        for n in 0..setup.users.len() {
            let owner = setup.users[n].pubkey();
            setup.chain.run(local_rpc::airdrop(&setup.client, &owner, 10 * SOL)).expect("lamports");
            let fill = |i| [open_ix(&owner, i), deposit_ix(&owner, i, FIRST_DEPOSIT)];
            setup.user(n, (0..VAULTS_PER_USER).flat_map(fill).collect());
        }
        setup.proposal = setup.propose();
        setup
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

    /// User `n` sends `instructions` of the vault program.
    fn user(&self, n: usize, instructions: Vec<Instruction>) {
        let signers = [&*self.users[n]];
        let sent = self.client.send_and_confirm("use a vault", &instructions, &signers);
        self.chain.run(sent).expect("the vault does it");
    }

    fn owner(&self, n: usize) -> Pubkey {
        self.users[n].pubkey()
    }

    fn vault(&self, n: usize, index: u32) -> Pubkey {
        vault_address(&self.owner(n), index)
    }

    fn raw(&self, address: &Pubkey) -> Option<RawAccount> {
        self.chain.run(self.client.account(address)).expect("the chain answers")
    }

    fn lamports(&self, address: &Pubkey) -> u64 {
        self.raw(address).map_or(0, |a| a.lamports)
    }

    fn rent(&self, len: usize) -> u64 {
        self.chain.run(self.client.rent(len)).expect("the chain answers")
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
            .run(AccountSnapshot::take(&self.client, &self.program))
            .expect("the chain answers")
    }

    /// Waits until newly installed code can be called.
    fn wait_until_callable(&self) {
        let next = self.state().executed_slot + 1;
        self.chain.run(local_rpc::wait_for_slot(&self.client, next)).expect("slots pass");
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

    /// Checks that the mirror equals the chain, account by account.
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

/// What a rollback shows before it is signed names exactly the accounts `unrestorable` on the new layout.
fn warns(value: &Value, unrestorable: &BTreeSet<Pubkey>) {
    let checks = value["checks"].as_array().expect("checks");
    let says = |c: &&Value| {
        c["sentence"].as_str().is_some_and(|s| s.contains("made on the new layout since"))
    };
    let found = checks.iter().find(says).unwrap_or_else(|| panic!("no warning: {value:#}"));
    assert_eq!(found["verdict"], "warn");
    names(&found["sentence"], unrestorable);
}

fn names(sentence: &Value, unrestorable: &BTreeSet<Pubkey>) {
    let said = sentence.as_str().expect("a sentence");
    assert!(said.contains(&format!("{} accounts were made", unrestorable.len())), "{said}");
    for address in unrestorable {
        assert!(said.contains(&address.to_string()), "{address} is missing in: {said}");
    }
}

#[test]
fn changes_by_users_survive_a_rollback() {
    let setup = Setup::open(2);
    let (ann, bob) = (setup.owner(0), setup.owner(1));
    // Before the upgrade: two vaults are closed, and one is opened that is not in the manifest.
    setup.user(0, vec![close_ix(&ann, 0), close_ix(&ann, 1)]);
    setup.user(0, vec![open_ix(&ann, 7), deposit_ix(&ann, 7, 70_000)]);
    let before = setup.snapshot();
    assert_eq!(before.0.len(), (UNUSED_VAULTS + 2 * VAULTS_PER_USER - 2 + 1) as usize);

    setup.upgrade();
    // One of the closed vaults is opened again on the new layout before it is marked as closed.
    setup.user(0, vec![open_ix(&ann, 1)]);
    let done = setup.chain.done(5, &["migrate", "--yes"]);
    let summary = done["receipt"]["summary"].as_str().expect("a summary");
    assert!(summary.contains("2 accounted for as closed"), "{summary}");
    setup.chain.done(1, &["verify", "--yes"]);
    assert_eq!((setup.status(), setup.state().phase), (ProposalStatus::Completed, Phase::Steady));

    use_the_new_code(&setup);
    empty_the_payer(&setup);

    // The old code cannot read the vault that was opened again, either.
    let unrestorable = BTreeSet::from([setup.vault(0, 1), setup.vault(0, 6)]);
    for member in [1, 2, 3] {
        warns(&setup.chain.done(member, &["rollback", "--yes"]), &unrestorable);
    }
    assert_eq!(setup.state().phase, Phase::RollingBack);
    // Users go on while the rollback runs.
    setup.user(1, vec![close_ix(&bob, 0)]);
    setup.user(1, vec![deposit_ix(&bob, 1, 11_000)]);

    let done = setup.chain.done(4, &["rollback", "--yes"]);
    warns(&done, &unrestorable);
    names(&done["receipt"]["summary"], &unrestorable);
    let state = setup.state();
    assert_eq!(setup.status(), ProposalStatus::RolledBack);
    assert_eq!((state.version, state.phase), (1, Phase::Steady));
    assert_eq!(state.counters.on_new_layout(), 0);
    as_they_must_be(&setup, &before);

    // Every migrated vault that still exists returned the rent of its growth to the emptied wallet.
    let restored = before.0.len() as u64 - 2;
    assert_eq!(u64::from(state.counters.restored), restored);
    let growth = setup.rent(v2::LEN) - setup.rent(v1::LEN);
    let payer = setup.member(5).pubkey();
    assert_eq!(setup.lamports(&payer), setup.rent(0) + restored * growth);

    // The old code reads every restored vault, whether users changed it or not.
    setup.wait_until_callable();
    setup.user(0, vec![withdraw_ix(&ann, 2, 1), deposit_ix(&ann, 4, 1)]);
    setup.user(1, vec![withdraw_ix(&bob, 3, FIRST_DEPOSIT), close_ix(&bob, 4)]);
    // One record for each account that was migrated or marked as closed.
    setup.mirrored(u64::from(UNUSED_VAULTS + 2 * VAULTS_PER_USER + 1) + 5);
}

/// What users do between the upgrade and the votes for a rollback.
fn use_the_new_code(setup: &Setup) {
    let (ann, bob) = (setup.owner(0), setup.owner(1));
    setup.user(0, vec![deposit_ix(&ann, 2, 22_000), set_limit_ix(&ann, 2, 5)]);
    setup.user(0, vec![withdraw_ix(&ann, 3, 33_000)]);
    setup.user(0, vec![set_limit_ix(&ann, 4, 44)]);
    setup.user(0, vec![close_ix(&ann, 5)]);
    setup.user(0, vec![open_ix(&ann, 6), deposit_ix(&ann, 6, 66_000)]);
    setup.user(1, vec![close_ix(&bob, 2)]);
    setup.user(1, vec![open_ix(&bob, 2), deposit_ix(&bob, 2, 2_000)]);
    // Opened on the new layout and closed again: the preflight does not name it.
    setup.user(1, vec![open_ix(&bob, 6)]);
    setup.user(1, vec![close_ix(&bob, 6)]);
}

/// Member 5, who paid for the growth of every vault, empties its wallet.
fn empty_the_payer(setup: &Setup) {
    let member = setup.member(5);
    let all = setup.lamports(&member.pubkey());
    let out = transfer(&member.pubkey(), &setup.deployer.pubkey(), all);
    let signers: [&dyn Signer; 2] = [&setup.deployer, &member];
    setup
        .chain
        .run(setup.client.send_and_confirm("leave", &[out], &signers))
        .expect("the lamports move");
    assert!(setup.raw(&member.pubkey()).is_none());
}

/// Compares every vault after the rollback with the one before the upgrade.
fn as_they_must_be(setup: &Setup, before: &AccountSnapshot) {
    let mut expected = before.clone();
    // Vault, balance and number of deposits of the vaults that users changed.
    let changed = [
        (setup.vault(0, 2), FIRST_DEPOSIT + 22_000, 2),
        (setup.vault(0, 3), FIRST_DEPOSIT - 33_000, 1),
        (setup.vault(0, 4), FIRST_DEPOSIT, 1),
        (setup.vault(1, 1), FIRST_DEPOSIT + 11_000, 2),
        (setup.vault(1, 2), 2_000, 1),
    ];
    for (address, balance, deposits) in changed {
        let account = expected.0.get_mut(&address).expect("a vault");
        let mut vault =
            v1::Vault::try_deserialize(&mut account.data.as_slice()).expect("the old layout");
        (vault.balance, vault.deposits) = (balance, deposits);
        account.data = bytes(&vault);
        account.lamports = setup.rent(v1::LEN) + balance;
    }
    for closed in [setup.vault(0, 5), setup.vault(1, 0)] {
        expected.0.remove(&closed).expect("it was there");
    }
    let mut after = setup.snapshot();
    for (index, balance) in [(1, 0), (6, 66_000)] {
        let left = after.0.remove(&setup.vault(0, index)).expect("left behind, not lost");
        let vault = v2::Vault::try_deserialize(&mut left.data.as_slice()).expect("the new layout");
        assert_eq!((vault.balance, left.lamports), (balance, setup.rent(v2::LEN) + balance));
    }
    assert_eq!(expected.differences(&after), Vec::<String>::new());
}

fn bytes(account: &impl AccountSerialize) -> Vec<u8> {
    let mut out = vec![];
    account.try_serialize(&mut out).expect("bytes");
    out
}

#[test]
fn an_unrestorable_account_blocks_the_rollback_until_members_give_it_up() {
    let setup = Setup::open(1);
    let before = setup.snapshot();
    setup.upgrade();
    setup.chain.done(5, &["migrate", "--yes"]);

    // More deposits than the old layout can count.
    let stuck = setup.vault(0, 3);
    let mut account = setup.raw(&stuck).expect("a vault");
    let mut vault: v2::Vault = setup.read(&stuck);
    vault.deposits = 70_000;
    account.data = bytes(&vault);
    set_account(&setup, &stuck, &account);

    for member in [1, 2, 3] {
        setup.chain.done(member, &["rollback", "--yes"]);
    }
    let out = setup.chain.command(4, &["rollback", "--yes", "--json"]);
    let value = json(&out);
    assert_eq!(out.status.code(), Some(1), "{value:#}");
    let failures = value["receipt"]["failures"].as_array().expect("failures");
    let says = |word: &str| failures.iter().any(|f| f.as_str().is_some_and(|f| f.contains(word)));
    assert!(says(&stuck.to_string()) && says("the old code stays out"), "{value:#}");
    let state = setup.state();
    assert_eq!((state.version, state.phase), (2, Phase::RollingBack));
    assert_eq!(
        (state.counters.on_new_layout(), state.counters.restored),
        (1, UNUSED_VAULTS + VAULTS_PER_USER - 1)
    );

    for member in [1, 2, 3] {
        let vote = setup.chain.done(member, &["rollback", "--give-up", "--yes"]);
        assert_eq!(vote["receipt"]["sent"].as_array().map(Vec::len), Some(1), "{vote:#}");
    }
    // The control room tries the account once more, reports the failure, and rolls the code back.
    let value = setup.chain.done(4, &["rollback", "--give-up", "--yes"]);
    let summary = value["receipt"]["summary"].as_str().expect("a summary");
    assert!(summary.contains("1 were given up"), "{summary}");
    assert!(summary.contains(&stuck.to_string()), "{summary}");
    assert_eq!(value["receipt"]["failures"].as_array().map(Vec::len), Some(0), "{value:#}");
    assert!(summary.contains("the old code is back"), "{summary}");
    assert_eq!(setup.status(), ProposalStatus::RolledBack);
    assert_eq!((setup.state().version, setup.state().phase), (1, Phase::Steady));
    let record: AccountVersion = setup.read(&seeds::account_version(&setup.program, &stuck).0);
    assert_eq!((record.status, record.version), (AccountStatus::Migrated, 2));

    let mut expected = before;
    expected.0.insert(stuck, account);
    assert_eq!(expected.differences(&setup.snapshot()), Vec::<String>::new());
    setup.wait_until_callable();
    setup.user(0, vec![withdraw_ix(&setup.owner(0), 2, FIRST_DEPOSIT)]);
    setup.mirrored(u64::from(UNUSED_VAULTS + VAULTS_PER_USER) + 5);
}

/// Replaces an account, which only a local chain allows.
fn set_account(setup: &Setup, address: &Pubkey, account: &RawAccount) {
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
    let host = setup.chain.ready.http.trim_start_matches("http://").trim_end_matches('/');
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
    assert_eq!(setup.raw(address).as_ref(), Some(account));
}
