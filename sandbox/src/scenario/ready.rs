//! The one line of JSON that tells the parent process the URLs, addresses and key files.
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A seeded chain, as its parent process needs to know it. Addresses are base58.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// URL of the JSON-RPC; `surfnet_timeTravel` on it moves the clock.
    pub http: String,
    /// URL of the websocket.
    pub ws: String,
    /// The program that is to be upgraded.
    pub program: String,
    /// Its multisig; none on a bare chain.
    pub multisig: Option<String>,
    /// The proposal that waits for votes; none on a bare chain.
    pub proposal: Option<String>,
    /// Key file of the programs' deployer.
    pub deployer: PathBuf,
    /// The account that gets the surplus lamports of upgrades.
    pub treasury: String,
    /// The members' key files, in the order of their addresses.
    pub members: Vec<PathBuf>,
    /// Genesis hash of this chain, unlike every other chain's.
    pub genesis_hash: String,
    /// Where old account bytes are archived, when the sandbox itself ran the flow.
    pub archive: PathBuf,
}

impl Ready {
    /// Where the chain is, for a person.
    #[must_use]
    pub fn addresses(&self) -> String {
        format!("JSON-RPC {}, websocket {}", self.http, self.ws)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_both_addresses_of_the_chain() {
        let ready = Ready {
            http: "http://127.0.0.1:8899".into(),
            ws: "ws://127.0.0.1:8901".into(),
            program: String::new(),
            multisig: None,
            proposal: None,
            deployer: PathBuf::new(),
            treasury: String::new(),
            members: vec![],
            genesis_hash: String::new(),
            archive: PathBuf::new(),
        };
        let said = ready.addresses();
        assert_eq!(said, "JSON-RPC http://127.0.0.1:8899, websocket ws://127.0.0.1:8901");
    }
}
