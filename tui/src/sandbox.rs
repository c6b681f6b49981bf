//! `control-room sandbox`: starts the local chain as a child process, reads its addresses from a line of JSON
//! that the child prints, and opens the screens on it. `runtime::sandbox_clock` moves the chain's clock.
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use backend::{FileSigner, Signer as _};
use indexer::ops::redact::Secrets;
use serde::Deserialize;
use solana_pubkey::Pubkey;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    cli::{Sandbox, parse::variable},
    config::{KeyFile, Settings},
    model::SandboxMember,
    runtime::{self, RunOptions},
    session::Session,
};

/// The binary of the local chain.
const SANDBOX_BINARY: &str = "control-room-sandbox";
/// Timeouts for seeding the chain: the base, and the part added for each vault.
const SEED_TIMEOUT: Duration = Duration::from_secs(120);
const SEED_TIMEOUT_PER_VAULT: Duration = Duration::from_millis(50);
/// Variables that the child must not inherit, because they may hold secrets and the chain needs none of them.
const SECRET_VARIABLES: [&str; 4] = [
    "CONTROL_ROOM_RPC_URL",
    "CONTROL_ROOM_WS_URL",
    "CONTROL_ROOM_DATABASE_URL",
    "CONTROL_ROOM_KEYPAIR",
];

/// The line that the child prints when the chain is ready.
#[derive(Debug, Deserialize)]
struct Ready {
    http: String,
    ws: String,
    program: String,
    members: Vec<PathBuf>,
    genesis_hash: String,
    archive: PathBuf,
}

fn binary() -> Result<PathBuf> {
    if let Some(path) = variable("CONTROL_ROOM_SANDBOX_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().context("The folder of this program is not known.")?;
    let beside = own.with_file_name(SANDBOX_BINARY);
    if beside.exists() {
        return Ok(beside);
    }
    bail!(
        "There is no {SANDBOX_BINARY} beside {}. Build it with `cargo build -p sandbox`, or name it in CONTROL_ROOM_SANDBOX_BIN.",
        own.display()
    )
}

fn command(args: &Sandbox) -> Result<Command> {
    let mut command = Command::new(binary()?);
    SECRET_VARIABLES.iter().for_each(|name| {
        command.env_remove(name);
    });
    if let Some(dir) = &args.elf_dir {
        command.arg("--elf-dir").arg(dir);
    }
    if let Some(n) = args.vaults {
        command.arg("--vaults").arg(n.to_string());
    }
    if let Some(ms) = args.slot_ms {
        command.arg("--slot-ms").arg(ms.to_string());
    }
    Ok(command)
}

/// Lets the child run the whole upgrade without screens and returns its exit code.
///
/// # Errors
/// When the child cannot be started.
pub async fn headless(args: &Sandbox, priority_fee: u64) -> Result<u8> {
    let mut command = command(args)?;
    command.arg("--priority-fee").arg(priority_fee.to_string());
    let mut child = command.arg("--headless").spawn().context("The sandbox cannot be started.")?;
    let status = child.wait().await.context("The sandbox is gone.")?;
    Ok(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1))
}

/// Starts the chain and opens the screens on it. Unless `keep` (`--data-dir` was given), all data is deleted at the end.
///
/// # Errors
/// When the chain does not come up, with the last lines of its log.
pub async fn screens(
    args: &Sandbox,
    mut settings: Settings,
    keep: bool,
    fail: Option<runtime::TestFailure>,
) -> Result<u8> {
    let temporary = tempfile::Builder::new()
        .prefix("control-room-")
        .tempdir()
        .context("There is no folder for temporary files.")?;
    let base = if keep { settings.data_dir.clone() } else { temporary.path().to_owned() };
    std::fs::create_dir_all(&base)
        .with_context(|| format!("The folder {} cannot be made.", base.display()))?;
    eprintln!("Starting the local chain..");
    let (child, ready) = start(args, &base).await?;
    // Every sandbox chain has its own genesis hash, and a mirror belongs to one chain, so each gets a new folder.
    let short: String = ready.genesis_hash.chars().take(8).collect();
    settings.data_dir = base.join(format!("mirror-{short}"));
    (settings.rpc_url, settings.ws_url) = (ready.http.as_str().into(), ready.ws.as_str().into());
    settings.database_url = None;
    let program: Pubkey = ready.program.parse().context("The sandbox names no program.")?;
    settings.names.entry(program).or_insert_with(|| "demo-vault".to_owned());
    let members = members(&ready.members)?;
    settings.keypair =
        settings.keypair.or_else(|| ready.members.first().cloned().map(KeyFile::from));
    let secrets = Secrets::new([settings.rpc_url.as_str(), settings.ws_url.as_str()]);
    let mut session = Session::open(settings, secrets).await?;
    (session.sandbox, session.archive) = (true, ready.archive);
    let signer = session.signer()?;
    let code = runtime::run(session, signer, RunOptions { members, fail }).await;
    stop(child).await;
    code
}

fn members(paths: &[PathBuf]) -> Result<Vec<(PathBuf, SandboxMember)>> {
    let member = |(i, path): (usize, &PathBuf)| {
        let key = FileSigner::open(path)?.pubkey();
        let name = format!("member-{}", i.saturating_add(1));
        Ok((path.clone(), SandboxMember { name, key }))
    };
    paths.iter().enumerate().map(member).collect()
}

async fn start(args: &Sandbox, base: &Path) -> Result<(Child, Ready)> {
    let log = base.join("sandbox.log");
    let errors = std::fs::File::create(&log)
        .with_context(|| format!("The file {} cannot be written.", log.display()))?;
    let mut child = command(args)?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(errors)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .context("The sandbox cannot be started.")?;
    let out = child.stdout.take().ok_or_else(|| anyhow!("The sandbox has no output."))?;
    let mut lines = BufReader::new(out).lines();
    let first = async {
        // The child may print other lines; the one that matters is a JSON object.
        while let Some(line) = lines.next_line().await? {
            if line.starts_with('{') {
                return Ok::<_, std::io::Error>(Some(line));
            }
        }
        Ok(None)
    };
    let limit = SEED_TIMEOUT + SEED_TIMEOUT_PER_VAULT * args.vaults.unwrap_or_default();
    let line = tokio::select! {
        line = tokio::time::timeout(limit, first) => line,
        _ = tokio::signal::ctrl_c() => bail!("Stopped before the chain was ready."),
    };
    let line = match line {
        Ok(Ok(Some(line))) => line,
        Ok(_) => bail!("The local chain did not come up: {}", log_tail(&log)),
        Err(_) => {
            bail!("The local chain is not ready after {} s: {}", limit.as_secs(), log_tail(&log))
        }
    };
    // Keep reading, or the child would block when the pipe is full.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let ready = serde_json::from_str(&line).context(
        "The sandbox and the control room are of different versions. Build both from one source.",
    )?;
    Ok((child, ready))
}

/// The last three lines of the child's log.
fn log_tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let last = lines.iter().rev().take(3).rev().copied().collect::<Vec<_>>().join(" ");
    if last.is_empty() { "it printed nothing.".to_owned() } else { crate::text::clean(&last) }
}

/// Closes the child's stdin, which tells it to exit. Kills it if it does not exit in time.
async fn stop(mut child: Child) {
    drop(child.stdin.take());
    if tokio::time::timeout(Duration::from_secs(3), child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_of_the_child_parses() {
        let line = r#"{"http":"http://127.0.0.1:1","ws":"ws://127.0.0.1:2",
            "program":"9JMMhcLpSH5xUAtGWEGCbmBzQgkevWebJruGmGCCN67","multisig":"x","proposal":"y",
            "members":["/tmp/a.json"],"genesis_hash":"z","archive":"/tmp/archive"}"#;
        let ready: Ready = serde_json::from_str(line).unwrap();
        assert!(ready.program.parse::<Pubkey>().is_ok());
        assert_eq!(ready.members, [PathBuf::from("/tmp/a.json")]);
    }
}
