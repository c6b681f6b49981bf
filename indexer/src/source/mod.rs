//! Where data comes from: one websocket and one RPC address of a Solana node.
pub mod history;
pub mod rpc;
pub mod socket;

use std::time::Duration;

use solana_pubkey::Pubkey;

/// Which node to read, and how patient to be with it.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Address of the JSON-RPC service.
    pub rpc_url: String,
    /// Address of the websocket service.
    pub ws_url: String,
    /// The manager program.
    pub program_id: Pubkey,
    /// How long to wait for one answer.
    pub timeout: Duration,
    /// How long the websocket may say nothing before it counts as dead.
    pub silence: Duration,
    /// How often all accounts are read again: closes are only found this way.
    pub reconcile: Duration,
    /// How often the clock is read.
    pub clock: Duration,
    /// How often history is read.
    pub history: Duration,
}

impl SourceConfig {
    /// The node at `rpc_url` and `ws_url`, with the usual patience.
    #[must_use]
    pub fn new(rpc_url: String, ws_url: String, program_id: Pubkey) -> Self {
        Self {
            rpc_url,
            ws_url,
            program_id,
            timeout: Duration::from_secs(30),
            silence: Duration::from_secs(10),
            reconcile: Duration::from_secs(60),
            clock: Duration::from_secs(1),
            history: Duration::from_secs(2),
        }
    }
}

/// `url` without user, path and query: providers put access keys there.
#[must_use]
pub fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") }
}

/// `text` without any part of `url` that [`shown`] leaves out.
fn scrubbed(text: &str, url: &str) -> String {
    let short = shown(url);
    let mut text = text.replace(url, &short);
    if let Some(secret) = url.split_once("://").map(|(_, rest)| rest) {
        for part in secret.split(['/', '?', '&', '=', '@', ':']).skip(1).filter(|p| p.len() >= 12) {
            text = text.replace(part, "…");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_key_in_an_address_is_never_shown() {
        for url in [
            "https://rpc.example.org/v1/0123456789abcdef?api-key=fedcba9876543210",
            "https://user:0123456789abcdef@rpc.example.org/?k=fedcba9876543210",
        ] {
            assert_eq!(shown(url), "https://rpc.example.org");
            let said = scrubbed(&format!("error sending request for url ({url})"), url);
            assert!(!said.contains("0123456789abcdef") && !said.contains("fedcba98"), "{said}");
            let bent = url.replace("rpc.example.org", "RPC.example.org:443");
            let said = scrubbed(&bent, url);
            assert!(!said.contains("0123456789abcdef") && !said.contains("fedcba98"), "{said}");
        }
        assert_eq!(shown("ws://127.0.0.1:8900"), "ws://127.0.0.1:8900");
    }
}
