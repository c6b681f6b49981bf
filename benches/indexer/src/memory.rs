//! Peak memory of a child process that reads a whole snapshot into an empty store, like `index --once`.
use std::{process::Stdio, time::Instant};

use anyhow::{Context as _, Result, ensure};
use indexer::{SourceConfig, backfill_once};
use tokio::process::Command;

use crate::{location::open, node::Node, rows::PROGRAM_ID};

/// The first argument of the child process.
pub const CHILD: &str = "read-one-snapshot";

/// Runs as the child process; `arguments` are the store and the node's addresses.
pub async fn child(arguments: &[String]) -> Result<()> {
    let [store, rpc, ws] = arguments else { anyhow::bail!("a store and a node are needed") };
    let store = open(store).await?;
    let config = SourceConfig::new(rpc.clone(), ws.clone(), PROGRAM_ID);
    let done = backfill_once(config, store).await?;
    println!("{} {}", done.accounts, peak()?);
    Ok(())
}

/// Peak memory of this process in KiB.
fn peak() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.context("the system does not say how much memory was used")?;
    Ok(words.trim().trim_end_matches("kB").trim().parse()?)
}

/// Peak memory in MiB, and seconds, for a snapshot of `accounts` records into the store `name`.
pub async fn of_a_snapshot(name: &str, accounts: u64) -> Result<(f64, f64)> {
    let node = Node::start(accounts).await?;
    let begun = Instant::now();
    let output = Command::new(std::env::current_exe()?)
        .args([CHILD, name, &node.rpc_url, &node.ws_url])
        .stdin(Stdio::null())
        .output()
        .await?;
    let took = begun.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "reading a snapshot failed: {errors}");
    let (read, peak) = said.trim().split_once(' ').context("the process said nothing")?;
    ensure!(read.parse() == Ok(accounts), "of {accounts} accounts {read} were read");
    let kib: u32 = peak.parse()?;
    Ok((f64::from(kib) / 1_024.0, took))
}
