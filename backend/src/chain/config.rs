//! Which node is asked, and how long each answer may take. Its address is shown without access keys.
use std::time::Duration;

use solana_commitment_config::CommitmentConfig;

/// Longest wait for the outcome of a transaction: a blockhash lives for about a minute, half a minute
/// later its end is finalized, and a crowded cluster makes blocks half as fast.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(180);
/// Longest wait for a slot to be finalized.
const FINALITY_TIMEOUT: Duration = Duration::from_secs(120);

/// Which node, and what is expected of it.
#[derive(Clone)]
pub struct ChainClientConfig {
    /// Address of the node's JSON-RPC.
    pub rpc_url: String,
    /// Genesis hash the cluster must have; `None` accepts any.
    pub genesis_hash: Option<[u8; 32]>,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// Longest wait for the outcome of what was sent.
    pub outcome_timeout: Duration,
    /// Longest wait for a slot to be finalized.
    pub finality_timeout: Duration,
    /// Commitment of every read and every confirmation.
    pub commitment: CommitmentConfig,
    /// Micro-lamports paid per compute unit on top of the base fee.
    pub unit_price: u64,
}

impl ChainClientConfig {
    /// Confirmed commitment, 30 seconds, any cluster, no priority fee.
    #[must_use]
    pub fn new(rpc_url: impl Into<String>) -> Self {
        Self {
            rpc_url: rpc_url.into(),
            genesis_hash: None,
            timeout: Duration::from_secs(30),
            outcome_timeout: OUTCOME_TIMEOUT,
            finality_timeout: FINALITY_TIMEOUT,
            commitment: CommitmentConfig::confirmed(),
            unit_price: 0,
        }
    }
}

impl Default for ChainClientConfig {
    /// A node on this machine, at its usual port.
    fn default() -> Self {
        Self::new("http://127.0.0.1:8899")
    }
}

impl ChainClientConfig {
    /// The node without path, query and password, where access keys are: what operators are shown.
    /// Only the scheme of an address whose host is not beyond doubt.
    #[must_use]
    pub fn site(&self) -> String {
        let (scheme, rest) = match self.rpc_url.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
            _ => return "…".to_owned(),
        };
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, behind) = rest.split_at(end);
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !host.ends_with(']') => (name, port),
            _ => (host, ""),
        };
        let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_number = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
        let is_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            Some(number) => number.chars().all(is_number),
            None => name.chars().all(is_bare),
        };
        let is_port = port.bytes().all(|b| b.is_ascii_digit());
        // An @ after the first slash means that the password contains the slash.
        match !name.is_empty() && is_name && is_port && !behind.contains('@') {
            true => format!("{scheme}://{host}"),
            false => format!("{scheme}://…"),
        }
    }
}

impl std::fmt::Debug for ChainClientConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainClientConfig")
            .field("node", &self.site())
            .field("genesis_hash", &self.genesis_hash.map(hex::encode))
            .field("timeout", &self.timeout)
            .field("outcome_timeout", &self.outcome_timeout)
            .field("finality_timeout", &self.finality_timeout)
            .field("commitment", &self.commitment.commitment)
            .field("unit_price", &self.unit_price)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_key_in_the_address_is_never_shown() {
        for url in [
            "https://rpc.example.org/secret",
            "https://rpc.example.org?api-key=secret",
            "https://user:secret@rpc.example.org",
            "https://rpc.example.org/v1/secret?x=secret#secret",
        ] {
            let config = ChainClientConfig::new(url);
            assert_eq!(config.site(), "https://rpc.example.org");
            assert!(!format!("{config:?}").contains("secret"));
        }
        for url in ["http://127.0.0.1:8899", "http://[::1]:8899", "http://[::1]"] {
            assert_eq!(ChainClientConfig::new(url).site(), url);
        }
        for url in [
            "https://user:12/secret@rpc.example.org",
            "https://user:a@secret/rest@rpc.example.org",
            "https://user:secret:rpc.example.org",
            "https://user@sec'ret",
        ] {
            assert_eq!(ChainClientConfig::new(url).site(), "https://…", "{url}");
        }
        assert_eq!(ChainClientConfig::new("user:secret@rpc.example.org").site(), "…");
    }
}
