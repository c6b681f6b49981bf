//! Checks nodes, schema and store before a mirror runs, and says what to fix. Changes nothing: no
//! schema, no lease, no row.
use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use futures_util::future::join_all;
use rusqlite::{Connection, OpenFlags};
use solana_commitment_config::CommitmentLevel;
use solana_pubkey::Pubkey;

use crate::{
    ops::redact::shown,
    source::{
        Endpoint, SourceConfig,
        error::Result,
        rpc::{ChainClock, Rpc},
        websocket::{Frame, Socket},
    },
    store::{MirrorState, SCHEMA},
};

/// How long a node may take per answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The result of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckResult {
    /// Works.
    Ok,
    /// Works, but could be better.
    Warn,
    /// Does not work.
    Fail,
}

impl CheckResult {
    /// Its label in the output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// The finding of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The result.
    pub verdict: CheckResult,
    /// The checked thing, in a word or two.
    pub about: String,
    /// What was found, and what to fix.
    pub text: String,
}

impl Finding {
    /// A finding about `about`.
    pub fn new(verdict: CheckResult, about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { verdict, about: about.into(), text: text.into() }
    }

    /// A finding that something works.
    pub fn ok(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(CheckResult::Ok, about, text)
    }

    /// A finding that something does not work.
    pub fn fail(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(CheckResult::Fail, about, text)
    }
}

/// The answers of one node.
struct NodeReport {
    shown: String,
    genesis: Result<[u8; 32]>,
    version: Result<String>,
    slot: Result<u64>,
    clock: Result<ChainClock>,
    blocks: Result<Option<Vec<u64>>>,
    /// Whether the websocket offers roots; `Ok` once the first slot has arrived.
    socket: Result<bool>,
    shown_socket: String,
}

/// Asks all nodes of `config` concurrently, and compares them with each other and with the cluster
/// `stored` in the mirror.
pub async fn nodes(config: &SourceConfig, stored: Option<[u8; 32]>) -> Vec<Finding> {
    let config = SourceConfig { timeout: ANSWER_TIMEOUT, ..config.clone() };
    let nodes = join_all(config.endpoints.iter().map(|e| ask(&config, e))).await;
    let newest = nodes.iter().filter_map(|n| n.slot.as_ref().ok()).copied().max().unwrap_or(0);
    // Without a mirror, the nodes must at least agree on the cluster.
    let first = nodes.iter().find_map(|n| n.genesis.as_ref().ok()).copied();
    let cluster = stored.or(first);
    let mut out = vec![];
    for node in &nodes {
        out.extend(node_findings(node, cluster, stored.is_some(), newest, config.behind));
    }
    out
}

async fn ask(config: &SourceConfig, endpoint: &Endpoint) -> NodeReport {
    let rpc = Rpc::at(config, endpoint);
    let recent = async {
        let to = rpc.finalized_slot().await?;
        rpc.blocks(to, to).await
    };
    let (genesis, version, slot, clock, blocks, socket) = tokio::join!(
        rpc.genesis_hash(),
        rpc.version(),
        rpc.slot(CommitmentLevel::Confirmed),
        rpc.clock(),
        recent,
        listen(config, &rpc),
    );
    let (shown, shown_socket) = (shown(&endpoint.rpc_url), shown(&endpoint.ws_url));
    NodeReport { shown, genesis, version, slot, clock, blocks, socket, shown_socket }
}

/// Subscribes and waits for the first slot.
async fn listen(config: &SourceConfig, rpc: &Rpc) -> Result<bool> {
    let mut socket = Socket::connect(config, rpc, &[]).await?;
    loop {
        // A silent socket ends with an error by itself.
        if let Frame::Slot { .. } = socket.next().await? {
            return Ok(socket.has_roots());
        }
    }
}

fn node_findings(
    node: &NodeReport,
    cluster: Option<[u8; 32]>,
    is_stored: bool,
    newest: u64,
    behind: u64,
) -> Vec<Finding> {
    let about = format!("node {}", node.shown);
    let mut out = vec![];
    match (&node.genesis, &node.version, &node.slot) {
        (Ok(_), Ok(version), Ok(slot)) => {
            out.push(Finding::ok(&about, format!("Version {version} answers, at slot {slot}.")));
        }
        (Err(e), ..) | (_, Err(e), _) | (_, _, Err(e)) => {
            out.push(Finding::fail(&about, e.to_string()));
        }
    }
    match &node.genesis {
        Ok(genesis) if Some(*genesis) != cluster => {
            let base58 = |hash: &[u8; 32]| bs58::encode(hash).into_string();
            let place = if is_stored { "the mirror" } else { "the first node" };
            let other = cluster.as_ref().map(base58).unwrap_or_default();
            out.push(Finding::fail(
                &about,
                format!(
                    "It belongs to the cluster with genesis hash {}, but {place} to {other}. Take it out of the settings, or choose another --database-url or --data-dir.",
                    base58(genesis)
                ),
            ));
        }
        Ok(_) if is_stored => out.push(Finding::ok(&about, "It is of the mirror's cluster.")),
        _ => {}
    }
    if let Ok(slot) = &node.slot {
        let lag = newest.saturating_sub(*slot);
        if lag > behind {
            out.push(Finding::new(
                CheckResult::Warn,
                &about,
                format!(
                    "It is {lag} slots behind another node of the settings. Ask its operator, or name another one first."
                ),
            ));
        }
    }
    if let Ok(clock) = &node.clock {
        out.push(Finding::ok("chain time", skew(clock.unix)));
    }
    if let Ok(None) = &node.blocks {
        out.push(Finding::new(
            CheckResult::Warn,
            &about,
            "It does not offer getBlocks, so the mirror cannot tell orphaned slots by it. Use a node that does.",
        ));
    }
    out.push(match &node.socket {
        Ok(true) => Finding::ok(
            format!("websocket {}", node.shown_socket),
            "It takes the subscriptions and tells of slots.",
        ),
        Ok(false) => Finding::new(
            CheckResult::Warn,
            format!("websocket {}", node.shown_socket),
            "It tells of slots but refuses rootSubscribe; what is final is asked for instead.",
        ),
        Err(e) => Finding::fail(format!("websocket {}", node.shown_socket), e.to_string()),
    });
    out
}

/// Difference between chain time and this machine's clock. For information: only chain time is used.
fn skew(chain: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    match now.saturating_sub(chain) {
        0 => "It is that of this machine.".to_owned(),
        d if d > 0 => format!("It is {d} s behind this machine's; only chain time counts."),
        d => format!("It is {} s ahead of this machine's; only chain time counts.", d.abs()),
    }
}

/// Number of the schema in the SQLite file at `path`; [`None`] where there is no file yet.
///
/// # Errors
/// The driver's message.
pub fn sqlite_schema(path: &Path) -> Result<Option<i64>, String> {
    if !path.exists() {
        return Ok(None);
    }
    let read = || {
        let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        file.busy_timeout(ANSWER_TIMEOUT)?;
        file.query_row("SELECT user_version FROM pragma_user_version", [], |r| r.get(0))
    };
    read().map(Some).map_err(|e: rusqlite::Error| e.to_string())
}

/// The finding about a schema number; [`None`] is an empty database.
#[must_use]
pub fn schema(found: Option<i64>) -> Finding {
    let about = "schema";
    match found {
        None | Some(0) => Finding::ok(about, "There is no mirror yet; the first start makes it."),
        Some(SCHEMA) => Finding::ok(about, format!("Number {SCHEMA}, the one of this build.")),
        Some(newer) if newer > SCHEMA => Finding::fail(
            about,
            format!(
                "Number {newer} is newer than {SCHEMA}, the newest that this build knows. Use a newer control room."
            ),
        ),
        Some(older) => Finding::new(
            CheckResult::Warn,
            about,
            format!(
                "Number {older} is older than {SCHEMA}. The next start brings it up to date; in Postgres, `control-room migrate-db` does."
            ),
        ),
    }
}

/// The findings about the store's state.
#[must_use]
pub fn mirror(state: &MirrorState, program: &Pubkey, read_only: bool) -> Vec<Finding> {
    let about = "mirror";
    let mut out = vec![match state.program_id {
        Some(stored) if stored != *program => Finding::fail(
            about,
            format!(
                "It mirrors the manager program {stored}, not {program}. Choose another --database-url or --data-dir."
            ),
        ),
        Some(_) => Finding::ok(
            about,
            format!(
                "Final up to slot {}, audit log up to slot {} with {} rows.",
                state.frontier_slot, state.history_slot, state.audit_seq
            ),
        ),
        None => Finding::ok(about, "Nothing is mirrored yet."),
    }];
    let lease = state.lease.as_ref().filter(|lease| !lease.left.is_zero());
    out.push(match (lease, read_only) {
        (Some(lease), _) => {
            Finding::ok("writer", format!("{} writes it; others follow.", plain(&lease.owner)))
        }
        (None, false) => Finding::ok("writer", "Nobody writes it; whoever starts first will."),
        (None, true) => Finding::new(
            CheckResult::Warn,
            "writer",
            "Nobody writes it, and this user may only read, so it will not move. Start `control-room index` with a user who may write.",
        ),
    });
    out
}

fn plain(text: &str) -> String {
    crate::ops::redact::plain(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Lease;

    #[test]
    fn an_older_schema_warns_and_a_newer_one_fails() {
        let verdict = |found| schema(found).verdict;
        assert_eq!((verdict(None), verdict(Some(SCHEMA))), (CheckResult::Ok, CheckResult::Ok));
        assert_eq!(verdict(Some(SCHEMA - 1)), CheckResult::Warn);
        assert_eq!(verdict(Some(SCHEMA + 1)), CheckResult::Fail);
    }

    #[test]
    fn a_mirror_without_a_possible_writer_warns() {
        let program = Pubkey::new_unique();
        let worst = |state: &MirrorState, read_only| {
            mirror(state, &program, read_only).into_iter().map(|f| f.verdict).max()
        };
        let mut state = MirrorState { program_id: Some(program), ..MirrorState::default() };
        assert_eq!(worst(&state, false), Some(CheckResult::Ok));
        assert_eq!(worst(&state, true), Some(CheckResult::Warn));
        state.lease = Some(Lease { owner: "a".into(), left: Duration::from_secs(3) });
        assert_eq!(worst(&state, true), Some(CheckResult::Ok));
        state.lease = Some(Lease { owner: "a".into(), left: Duration::ZERO });
        assert_eq!(worst(&state, true), Some(CheckResult::Warn), "its lease has run out");
        state.program_id = Some(Pubkey::new_unique());
        assert_eq!(worst(&state, false), Some(CheckResult::Fail));
    }
}
