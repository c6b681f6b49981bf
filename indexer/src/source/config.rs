//! Settings of the source: nodes, timeouts and intervals. Nothing here connects.
use std::{fmt, time::Duration};

use solana_pubkey::Pubkey;

use crate::ops::{metrics::Metrics, redact::shown};

/// The addresses of one node.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Address of the JSON-RPC service.
    pub rpc_url: String,
    /// Address of the websocket service.
    pub ws_url: String,
}

impl fmt::Debug for Endpoint {
    /// Without the access keys that addresses may hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("rpc_url", &shown(&self.rpc_url))
            .field("ws_url", &shown(&self.ws_url))
            .finish()
    }
}

/// Settings of the source.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// The nodes, preferred first; at least one.
    pub endpoints: Vec<Endpoint>,
    /// The manager program.
    pub program_id: Pubkey,
    /// Timeout of one call, and of the acknowledgement of subscriptions.
    pub timeout: Duration,
    /// How long a reading of all accounts may go without a byte. Nodes can search for over a minute
    /// before the first byte. The whole reading has no time limit.
    pub snapshot_timeout: Duration,
    /// How long the websocket may be silent before it counts as dead.
    pub silence: Duration,
    /// Time between two pings. Two unanswered pings without data end the connection.
    pub ping: Duration,
    /// How often all accounts are read again: only a complete reading finds every closed account.
    pub reconcile: Duration,
    /// How often the clock is read.
    pub clock: Duration,
    /// How often history is read.
    pub history: Duration,
    /// How often a few accounts are compared with the mirror, to notice a dead subscription.
    pub probe: Duration,
    /// How many slots the current node may be behind another one.
    pub behind: u64,
    /// Most calls per second and node; zero counts as one.
    pub requests_per_second: u32,
    /// Longest wait between two attempts.
    pub backoff_cap: Duration,
    /// Where calls, faults and connections are counted.
    pub metrics: Metrics,
}

impl SourceConfig {
    /// The node at `rpc_url` and `ws_url`, with the default timeouts.
    #[must_use]
    pub fn new(rpc_url: String, ws_url: String, program_id: Pubkey) -> Self {
        Self {
            endpoints: vec![Endpoint { rpc_url, ws_url }],
            program_id,
            timeout: Duration::from_secs(30),
            snapshot_timeout: Duration::from_secs(120),
            silence: Duration::from_secs(10),
            ping: Duration::from_secs(5),
            reconcile: Duration::from_secs(60),
            clock: Duration::from_secs(1),
            history: Duration::from_secs(2),
            probe: Duration::from_secs(15),
            behind: 20,
            requests_per_second: 50,
            backoff_cap: Duration::from_secs(60),
            metrics: Metrics::default(),
        }
    }

    /// Adds `others` to fail over to.
    #[must_use]
    pub fn with_more(mut self, others: impl IntoIterator<Item = Endpoint>) -> Self {
        self.endpoints.extend(others);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_printed_show_no_access_key_of_any_endpoint() {
        let more = Endpoint {
            rpc_url: "https://b.example/fedcba9876543210".into(),
            ws_url: "wss://user:fedcba9876543210@b.example".into(),
        };
        let first = "https://a.example/v1?api-key=0123456789".to_owned();
        let config = SourceConfig::new(first.clone(), first, Pubkey::default()).with_more([more]);
        let said = format!("{config:?}");
        assert!(!said.contains("0123456789") && !said.contains("fedcba"), "{said}");
        assert!(said.contains("a.example") && said.contains("b.example"), "{said}");
    }
}
