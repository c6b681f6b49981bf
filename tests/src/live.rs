//! A seeded chain in a process of its own, and the control room's headless commands against it.
use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use backend::chain::{ChainClient, ChainClientConfig};
use sandbox::{chain::local_rpc, scenario::ready::Ready};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{elf, relay::Relay, robot};

/// A sandbox chain that lives as long as this value.
pub struct Live {
    child: Child,
    /// Its URLs, addresses and key files.
    pub ready: Ready,
    folder: TempDir,
    runtime: Runtime,
}

impl Live {
    /// Starts a chain with `vaults` accounts, slots of `slot_ms` milliseconds and `more` arguments.
    pub fn start(vaults: u32, slot_ms: u64, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("sandbox.log");
        let mut child = Command::new(robot::sandbox())
            .arg("--elf-dir")
            .arg(elf::dir())
            .arg("--data-dir")
            .arg(folder.path().join("chain"))
            .args(["--vaults", &vaults.to_string(), "--slot-ms", &slot_ms.to_string()])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).expect("a log file"))
            .spawn()
            .expect("the sandbox starts");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let line =
            out.lines().map_while(Result::ok).find(|line| line.starts_with('{')).unwrap_or_else(
                || panic!("no chain: {}", std::fs::read_to_string(&log).unwrap_or_default()),
            );
        let ready = serde_json::from_str(&line).expect("the sandbox's line");
        let runtime = Runtime::new().expect("a runtime");
        Self { child, ready, folder, runtime }
    }

    /// A folder that is removed when the chain stops.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Key file of member `n`, from 1.
    pub fn key(&self, n: usize) -> String {
        self.ready.members[n - 1].display().to_string()
    }

    /// A client of this chain, as the backend uses it.
    pub fn chain_client(&self) -> ChainClient {
        let config = ChainClientConfig::new(self.ready.http.clone());
        self.run(ChainClient::connect(config)).expect("the chain answers")
    }

    pub fn run<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Moves the chain's clock.
    pub fn advance(&self, seconds: u32) {
        let client = self.chain_client();
        self.run(local_rpc::advance_clock(&client, seconds)).expect("the clock moves");
    }

    /// Arguments that make the control room use this chain, the store in the folder `store` and the
    /// key of member `n`.
    pub fn flags(&self, store: &str, n: usize) -> Vec<String> {
        self.flags_of(store, &self.key(n))
    }

    /// The same with JSON-RPC through `relay`; the websocket stays direct.
    pub fn flags_by(&self, relay: &Relay, store: &str, n: usize) -> Vec<String> {
        let mut flags = self.flags(store, n);
        let at = flags.iter().position(|flag| flag == "--rpc-url").expect("a node");
        flags[at + 1] = relay.url("http");
        flags
    }

    fn flags_of(&self, store: &str, key_file: &str) -> Vec<String> {
        let folder = self.folder(store).display().to_string();
        let flags = ["--rpc-url", &self.ready.http, "--ws-url", &self.ready.ws];
        let more = ["--data-dir", &folder, "--keypair", key_file, "--log-level", "debug"];
        let log = ["--log-file", &format!("{folder}.log")];
        flags.iter().chain(&more).chain(&log).map(|s| (*s).to_owned()).collect()
    }

    /// Runs a headless command as member `n`.
    pub fn command(&self, n: usize, args: &[&str]) -> Output {
        Command::new(robot::control_room())
            .args(self.flags("mirror", n))
            .args(args)
            .output()
            .expect("the control room starts")
    }

    /// Runs a headless command as member `n` that must succeed, and returns its one JSON value.
    pub fn done(&self, n: usize, args: &[&str]) -> serde_json::Value {
        succeeded(args, &self.command(n, &[args, &["--json"]].concat()))
    }

    /// Runs a headless command under the deployer's key, who is no member.
    pub fn outsider(&self, args: &[&str]) -> Output {
        let key = self.ready.deployer.display().to_string();
        Command::new(robot::control_room())
            .args(self.flags_of("mirror", &key))
            .args(args)
            .output()
            .expect("the control room starts")
    }

    /// The same for a command that must succeed.
    pub fn outsider_done(&self, args: &[&str]) -> serde_json::Value {
        succeeded(args, &self.outsider(&[args, &["--json"]].concat()))
    }

    /// Three approvals, 48 hours, execution, all by headless commands.
    pub fn execute_upgrade(&self) {
        for member in [2, 3] {
            self.done(member, &["approve", "--yes"]);
        }
        self.advance(48 * 3600 + 60);
        self.done(4, &["execute", "--yes"]);
    }
}

/// The one JSON value of a command that succeeded.
fn succeeded(args: &[&str], out: &Output) -> serde_json::Value {
    let (text, errors) =
        (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{args:?}: {}\n{text}\n{errors}", out.status);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}\n{text}"))
}

impl Drop for Live {
    fn drop(&mut self) {
        // Closing stdin makes the sandbox stop.
        drop(self.child.stdin.take());
        for _ in 0..250 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
