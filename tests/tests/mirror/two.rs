//! Two indexers that share only the chain, with different stores, node connections and restarts. At
//! the end they hold the same audit chain, and each mirror equals the chain.
use std::{
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use e2e::{database::Database, live::Live, relay::Relay, robot};
use serde_json::Value;

/// How long an indexer may take to mirror the latest change.
const MIRROR_TIMEOUT: Duration = Duration::from_secs(60);

/// An operator's indexer: its store and its connection to the chain.
struct Operator {
    flags: Vec<String>,
}

impl Operator {
    fn new(chain: &Live, name: &str, nodes: &[(String, String)], database: Option<&str>) -> Self {
        let folder = chain.folder(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let config: PathBuf = folder.join("config.toml");
        let nodes: Vec<String> = nodes
            .iter()
            .map(|(rpc, ws)| format!("{{ rpc_url = \"{rpc}\", ws_url = \"{ws}\" }}"))
            .collect();
        std::fs::write(&config, format!("endpoints = [{}]\n", nodes.join(", "))).expect("a file");
        let paths = [("--config", config), ("--data-dir", folder.clone())];
        let mut flags: Vec<String> = paths
            .into_iter()
            .flat_map(|(flag, path)| [flag.to_owned(), path.display().to_string()])
            .collect();
        if let Some(url) = database {
            flags.extend(["--database-url".to_owned(), url.to_owned()]);
        }
        Self { flags }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(robot::control_room());
        command.args(&self.flags).args(args);
        command
    }

    /// Starts an indexer that runs until it is killed.
    fn start(&self) -> Running {
        let child = self
            .command(&["index"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the control room starts");
        Running(child)
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(&[args, &["--json"]].concat()).output().expect("the control room starts")
    }

    fn done(&self, args: &[&str]) -> Value {
        let out = self.run(args);
        let (text, errors) =
            (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success(), "{args:?}: {text}\n{errors}");
        serde_json::from_str(&text).expect("one JSON value")
    }

    /// The head of the audit chain once the rollback is its last event. Events are final only some
    /// slots later.
    fn head_of_all(&self) -> Value {
        let end = Instant::now() + MIRROR_TIMEOUT;
        loop {
            self.done(&["index", "--once"]);
            let rows = self.done(&["audit", "list", "--limit", "1"]);
            if rows["rows"][0]["kind"] == "ProgramRolledBack" {
                return self.done(&["audit", "head"]);
            }
            assert!(Instant::now() < end, "the audit log ends with {rows}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

/// An indexer that is killed when it goes out of scope.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn two_indexers_with_other_nodes_and_other_restarts_have_the_same_audit_head() {
    let chain = Live::start(24, 50, &[]);
    let ways: Vec<(Relay, Relay)> =
        (0..2).map(|_| (Relay::to(&chain.ready.http), Relay::to(&chain.ready.ws))).collect();
    let urls = |(http, ws): &(Relay, Relay)| (http.url("http"), ws.url("ws"));
    let straight = [(chain.ready.http.clone(), chain.ready.ws.clone())];
    let winding: Vec<(String, String)> = ways.iter().map(urls).collect();
    let database = Database::fresh("two");
    let url = database.as_ref().map(Database::url);
    let first = Operator::new(&chain, "first", &straight, None);
    let second = Operator::new(&chain, "second", &winding, url.as_deref());

    let steady = first.start();
    let mut shaky = second.start();
    chain.done(2, &["approve", "--yes"]);
    // The first connection stays cut, so the second node takes over.
    ways[0].0.down();
    ways[0].1.down();
    chain.done(3, &["approve", "--yes"]);
    drop(shaky);
    chain.advance(48 * 3600 + 60);
    shaky = second.start();
    chain.done(4, &["execute", "--yes"]);
    ways[1].1.cut();
    chain.done(4, &["migrate", "--yes"]);
    drop(shaky);
    chain.done(5, &["verify", "--yes"]);
    shaky = second.start();
    // Three votes, then the rollback itself.
    for member in [1, 2, 3, 1] {
        chain.done(member, &["rollback", "--yes"]);
        ways[1].0.cut();
    }

    // Each indexer reads to the end and must then have the same head.
    drop((steady, shaky));
    let head = first.head_of_all();
    assert!(head["seq"].as_u64().is_some_and(|seq| seq >= 10), "{head}");
    assert_eq!(second.head_of_all(), head);
    for operator in [&first, &second] {
        let report = operator.done(&["index", "--verify"]);
        assert_eq!(report["differences"].as_array().map(Vec::len), Some(0), "{report}");
        assert_eq!(report["equal"], report["compared"], "{report}");
        operator.done(&["audit", "verify"]);
    }

    // One byte of a copy.
    let copy = chain.folder("copy");
    std::fs::create_dir_all(&copy).expect("a folder");
    let mirror = copy.join("mirror.sqlite");
    std::fs::copy(chain.folder("first").join("mirror.sqlite"), &mirror).expect("a copy");
    let store = rusqlite::Connection::open(&mirror).expect("the copy opens");
    store
        .execute_batch(
            "DROP TRIGGER audit_log_no_update;
             UPDATE audit_log SET payload = CAST(substr(payload, 1, 20) || x'a5' ||
                 substr(payload, 22) AS BLOB) WHERE seq = 7;",
        )
        .expect("a byte changes");
    drop(store);
    let copied = Operator::new(&chain, "copy", &straight, None);
    let out = copied.run(&["audit", "verify"]);
    let text = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{text}");
    assert!(text.contains("row 7"), "{text}");
}
