//! Cases from public bug reports as data: a file in `tests/scenarios` says what is wrong with the
//! node or the settings, which commands run, and what they must print and do. The runner starts the
//! real binary and a real chain, with a [`FaultProxy`] between them.
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anchor_lang::AccountDeserialize;
use backend::{FileSigner, Signer};
use serde::Deserialize;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{Choice, UpgradeProposal};

use crate::{
    fault_proxy::{FaultProxy, Rule},
    live::Live,
    robot,
};

/// How long a command, or a change on the chain, may take. Only a failing test waits that long.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(90);
/// Pause between two reads of the chain.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Text that no command may print.
const NEVER: [&str; 2] = ["panicked", "RUST_BACKTRACE"];
/// Vaults of the chain. No case is about many accounts.
const VAULTS: u32 = 2;

/// The folder of the files.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// One file.
///
/// Everywhere in it, `{program}`, `{multisig}` and `{proposal}` stand for addresses of the chain,
/// `{member-1}` to `{member-5}` for the members' key files, `{home}` for the case's own folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Scenario {
    /// What is wrong, in a sentence; printed when the case fails.
    about: String,
    /// The chain; a case without one is about the settings alone.
    chain: Option<ChainSpec>,
    /// Files in the case's folder, by name: copies of others.
    #[serde(default)]
    copies: BTreeMap<String, PathBuf>,
    /// Faults of the node.
    #[serde(default)]
    rule: Vec<Rule>,
    /// The commands, in their order.
    run: Vec<Run>,
    /// What the chain must hold afterwards.
    #[serde(default)]
    after: After,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ChainSpec {
    /// Milliseconds of a slot; a blockhash lives for 150 slots.
    slot_ms: u64,
    /// Whether the commands wait until the seeding transactions are finalized.
    #[serde(default)]
    finalized: bool,
}

/// One command. All commands of a case share the data folder `{home}/data`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Run {
    args: Vec<String>,
    /// Whether the command uses the chain directly instead of the faulty node.
    #[serde(default)]
    sound_node: bool,
    /// Key file that signs.
    keypair: Option<String>,
    /// Variables of its environment, which is otherwise empty but for `HOME`.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Content of its configuration file.
    #[serde(default)]
    config: String,
    /// Exit code.
    exit: i32,
    /// What it must print. `{sent}` stands for the signature of the last transaction it sent.
    #[serde(default)]
    says: Vec<String>,
    /// What it must not print.
    #[serde(default)]
    never: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct After {
    /// Members, from 1, whose approval is on the chain.
    #[serde(default)]
    approved_by: Vec<usize>,
    /// Members whose approval is not.
    #[serde(default)]
    not_approved_by: Vec<usize>,
}

/// Runs the case in the file `name`.
#[track_caller]
pub fn play(name: &str) {
    let text = fs::read_to_string(folder().join(name)).expect("the file of the case");
    // The file is parsed twice: first for the chain's settings, then with that chain's addresses
    // filled in.
    let Scenario { about, chain, .. } = parse(name, &text);
    let home = tempfile::tempdir().expect("a folder");
    let chain = chain.map(|wanted| start(&wanted));
    let filled = fill(&text, home.path(), chain.as_ref());
    let scenario = parse(name, &filled);
    for (file, from) in &scenario.copies {
        fs::copy(from, home.path().join(file)).expect("a copy");
    }
    let proxy = chain.as_ref().map(|c| FaultProxy::start(&c.ready.http, scenario.rule));
    let place = Place { about, home: home.path(), chain: chain.as_ref(), proxy: proxy.as_ref() };
    scenario.run.iter().for_each(|run| place.run(run));
    if let Some(proxy) = &proxy {
        let unused = proxy.unused();
        assert!(unused.is_empty(), "{}\nthese faults did not happen: {unused:?}", place.about);
    }
    place.check(&scenario.after);
}

fn parse(name: &str, text: &str) -> Scenario {
    toml::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn start(wanted: &ChainSpec) -> Live {
    let chain = Live::start(VAULTS, wanted.slot_ms, &[]);
    if wanted.finalized {
        let client = chain.chain_client();
        let seeded = chain.run(client.chain_time()).expect("the chain's clock").slot;
        until("what seeded the chain is final", || {
            chain.run(client.finalized_slot()).expect("the chain answers") > seeded
        });
    }
    chain
}

/// `text` with the values that placeholders stand for.
fn fill(text: &str, home: &Path, chain: Option<&Live>) -> String {
    let mut text = text.replace("{home}", &home.display().to_string());
    if let Some(chain) = chain {
        let ready = &chain.ready;
        text = text.replace("{program}", &ready.program);
        for (name, address) in [("{multisig}", &ready.multisig), ("{proposal}", &ready.proposal)] {
            text = text.replace(name, address.as_deref().expect("a seeded chain"));
        }
        for n in 1..=ready.members.len() {
            text = text.replace(&format!("{{member-{n}}}"), &chain.key(n));
        }
    }
    text
}

#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + COMMAND_TIMEOUT;
    while !done() {
        assert!(Instant::now() < end, "it does not happen that {what}");
        thread::sleep(POLL_INTERVAL);
    }
}

/// The environment in which a case's commands run.
struct Place<'a> {
    about: String,
    home: &'a Path,
    chain: Option<&'a Live>,
    proxy: Option<&'a FaultProxy>,
}

impl Place<'_> {
    fn run(&self, run: &Run) {
        let before = self.proxy.map_or(0, |proxy| proxy.sent().len());
        let (code, printed) = self.output(run);
        let about = format!("{}\n{:?} ended with {code:?}:\n{printed}", self.about, run.args);
        assert_eq!(code, Some(run.exit), "{about}");
        let sent = self.proxy.map(FaultProxy::sent).unwrap_or_default();
        for words in &run.says {
            let mut words = words.clone();
            if words.contains("{sent}") {
                let last = sent.get(before..).and_then(|sent| sent.last());
                words = words.replace("{sent}", last.expect("a transaction that was sent"));
            }
            assert!(printed.contains(&words), "{words:?} is missing. {about}");
        }
        for words in run.never.iter().map(String::as_str).chain(NEVER) {
            assert!(!printed.contains(words), "{words:?} must not be said. {about}");
        }
    }

    /// The exit code ([`None`] after a timeout) and everything that the command printed.
    fn output(&self, run: &Run) -> (Option<i32>, String) {
        let config = self.home.join("config.toml");
        fs::write(&config, &run.config).expect("a file");
        let out = self.home.join("printed");
        let file = fs::File::create(&out).expect("a file");
        let mut command = Command::new(robot::control_room());
        command.env_clear().env("HOME", self.home).envs(&run.env);
        command.arg("--config").arg(&config).arg("--data-dir").arg(self.home.join("data"));
        if let (Some(chain), Some(proxy)) = (self.chain, self.proxy) {
            let node = if run.sound_node { chain.ready.http.as_str() } else { proxy.url() };
            command.args(["--rpc-url", node, "--ws-url", &chain.ready.ws]);
        }
        if let Some(keypair) = &run.keypair {
            command.args(["--keypair", keypair]);
        }
        let mut child = command
            .args(&run.args)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a file"))
            .stderr(file)
            .spawn()
            .expect("the control room starts");
        let end = Instant::now() + COMMAND_TIMEOUT;
        let status = loop {
            match child.try_wait().expect("the control room") {
                Some(status) => break status,
                None if Instant::now() < end => thread::sleep(POLL_INTERVAL),
                None => {
                    child.kill().expect("the control room ends");
                    break child.wait().expect("the control room");
                }
            }
        };
        let printed = fs::read(&out).expect("what it printed");
        (status.code(), String::from_utf8_lossy(&printed).into_owned())
    }

    fn check(&self, after: &After) {
        let Some(chain) = self.chain else { return };
        for n in &after.approved_by {
            until(&format!("member {n} has approved"), || has_approved(chain, *n));
        }
        for n in &after.not_approved_by {
            assert!(!has_approved(chain, *n), "{}: member {n} has approved", self.about);
        }
    }
}

/// Whether the proposal on the chain holds the approval of member `n`.
fn has_approved(chain: &Live, n: usize) -> bool {
    let member = FileSigner::open(chain.key(n).as_ref()).expect("a key").pubkey();
    let proposal: Pubkey =
        chain.ready.proposal.as_ref().expect("a seeded chain").parse().expect("an address");
    let client = chain.chain_client();
    let account = chain.run(client.account(&proposal)).expect("the chain answers");
    let data = account.expect("a proposal").data;
    let proposal = UpgradeProposal::try_deserialize(&mut data.as_slice()).expect("a proposal");
    proposal.ballot.vote_of(&member).is_some_and(|vote| vote.choice == Choice::Approve)
}
