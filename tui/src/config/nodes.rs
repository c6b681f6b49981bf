//! Merges the nodes of flags and file, and checks every URL. Connects to nothing.
use anyhow::{Result, anyhow, bail};
use indexer::ops::redact::Parts;

use super::{Address, Flags, Node, file::NodeKeys};

/// The node if none is named.
const DEFAULT_RPC_URL: &str = "http://127.0.0.1:8899";
/// Schemes of an RPC URL, and what error texts call it.
const RPC_SCHEMES: &[&str] = &["http", "https"];
const RPC_NAME: &str = "the node (rpc_url, endpoints, --rpc-url or CONTROL_ROOM_RPC_URL)";
/// Schemes of a websocket URL, and what error texts call it.
const WEBSOCKET_SCHEMES: &[&str] = &["ws", "wss"];
const WEBSOCKET_NAME: &str = "the websocket (ws_url, endpoints, --ws-url or CONTROL_ROOM_WS_URL)";

/// Schemes of a database URL, and what error texts call it.
const DATABASE_SCHEMES: &[&str] = &["postgres", "postgresql"];
const DATABASE_NAME: &str =
    "the database (database_url, --database-url or CONTROL_ROOM_DATABASE_URL)";

/// The preferred node, and the others. A node named by a flag is the only one, because the file's nodes may be of another
/// cluster.
pub(super) fn nodes(
    flags: &Flags,
    rpc: Option<Address>,
    ws: Option<Address>,
    further: Vec<NodeKeys>,
) -> Result<(Node, Vec<Node>)> {
    let mut list = vec![];
    if let Some(rpc_url) = flags.rpc_url.clone() {
        list.push(NodeKeys { rpc_url, ws_url: flags.ws_url.clone().or(ws) });
    } else {
        match (rpc, flags.ws_url.clone().or(ws)) {
            (Some(rpc_url), ws_url) => list.push(NodeKeys { rpc_url, ws_url }),
            (None, Some(ws_url)) => {
                list.push(NodeKeys { rpc_url: DEFAULT_RPC_URL.into(), ws_url: Some(ws_url) });
            }
            (None, None) => {}
        }
        list.extend(further);
    }
    let mut list = list.into_iter().map(node).collect::<Result<Vec<_>>>()?.into_iter();
    let first = match list.next() {
        Some(first) => first,
        None => node(NodeKeys { rpc_url: DEFAULT_RPC_URL.into(), ws_url: None })?,
    };
    Ok((first, list.collect()))
}

fn node(keys: NodeKeys) -> Result<Node> {
    check(&keys.rpc_url, RPC_SCHEMES, RPC_NAME)?;
    let ws_url = keys.ws_url.unwrap_or_else(|| websocket_of(keys.rpc_url.as_str()).into());
    check(&ws_url, WEBSOCKET_SCHEMES, WEBSOCKET_NAME)?;
    Ok(Node { rpc_url: keys.rpc_url, ws_url })
}

/// Checks a database URL.
///
/// # Errors
/// What is wrong with it, without repeating it.
pub(super) fn check_database(url: &Address) -> Result<()> {
    check(url, DATABASE_SCHEMES, DATABASE_NAME)
}

fn check(url: &Address, schemes: &[&str], what: &str) -> Result<()> {
    let scheme = url.as_str().split_once("://").map(|(scheme, _)| scheme);
    if !scheme.is_some_and(|s| schemes.contains(&s)) {
        let wanted = schemes.iter().map(|s| format!("{s}://")).collect::<Vec<_>>().join(" or ");
        bail!("The address of {what} must start with {wanted}.");
    }
    match Parts::read(url.as_str()) {
        Ok(_) => Ok(()),
        Err(why) => Err(anyhow!("The address of {what} cannot be used: {why}.")),
    }
}

/// The websocket URL of a node, from its RPC URL: the next port if a port is given, as validators do, else the same
/// address.
fn websocket_of(rpc: &str) -> String {
    let (scheme, rest) = rpc.split_once("://").unwrap_or(("http", rpc));
    let scheme = if scheme == "https" { "wss" } else { "ws" };
    let split = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(split);
    let authority = match authority.rsplit_once(':') {
        Some((host, port)) => match port.parse::<u16>().ok().and_then(|p| p.checked_add(1)) {
            Some(next) => format!("{host}:{next}"),
            None => authority.to_owned(),
        },
        None => authority.to_owned(),
    };
    format!("{scheme}://{authority}{path}")
}
