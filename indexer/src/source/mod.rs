//! Where data comes from: one websocket and one RPC address of a Solana node.
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
