//! The one way to the chain: a JSON-RPC node, asked with timeouts, asked again where that is
//! harmless, and never trusted about anything that can be checked.
mod answers;
mod burst;
mod expiry;
mod explain;
mod faults;
mod fee;
mod find;
mod manager_errors;
mod outcome;
mod read;
mod send;
mod simulate;

use std::{future::Future, sync::Arc, time::Duration};

use solana_client::{client_error::ClientError, nonblocking::rpc_client::RpcClient as Rpc};
use solana_commitment_config::CommitmentConfig;

use crate::error::{BackendError, Result};

pub(crate) use burst::Signed;
pub use explain::{Blame, Failure, explain};
pub(crate) use fee::{Fee, sol};
pub use fee::{MAX_UNIT_PRICE, check_unit_price, parse_unit_price};
pub use find::TxStatus;
pub use manager_errors::manager_error;
pub use read::{ChainTime, Filter, RawAccount};
pub(crate) use send::Landed;
pub use simulate::{MAX_UNITS, PACKET, Simulated, transaction_size, with_budget};

/// How often a harmless question is asked in all.
const ATTEMPTS: u32 = 4;
/// Pause before the second attempt; doubles each time.
const BACKOFF: Duration = Duration::from_millis(200);

/// Longest wait for the outcome of a transaction: a blockhash lives for about a minute, half a minute
/// later its end is finalized, and a crowded cluster makes blocks half as fast.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(180);
/// Longest wait for a slot to be finalized.
const FINALITY_TIMEOUT: Duration = Duration::from_secs(120);

/// Which node, and what is expected of it.
#[derive(Clone)]
pub struct GatewayConfig {
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

impl GatewayConfig {
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

impl Default for GatewayConfig {
    /// A node on this machine, at its usual port.
    fn default() -> Self {
        Self::new("http://127.0.0.1:8899")
    }
}

impl GatewayConfig {
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
        // An @ further behind says that the password has not ended at the first slash.
        match !name.is_empty() && is_name && is_port && !behind.contains('@') {
            true => format!("{scheme}://{host}"),
            false => format!("{scheme}://…"),
        }
    }
}

impl std::fmt::Debug for GatewayConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayConfig")
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

struct Inner {
    rpc: Rpc,
    config: GatewayConfig,
    genesis_hash: [u8; 32],
}

/// A node that was reached and is on the expected cluster.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

impl Gateway {
    /// Reaches the node and compares its genesis hash.
    ///
    /// # Errors
    /// Unreachable, slow, rate-limited, or [`BackendError::WrongCluster`].
    pub async fn connect(config: GatewayConfig) -> Result<Self> {
        let rpc = Rpc::new_with_timeout_and_commitment(
            config.rpc_url.clone(),
            config.timeout,
            config.commitment,
        );
        let found = patient(&config, "getGenesisHash", || rpc.get_genesis_hash()).await?;
        let genesis_hash = found.to_bytes();
        if let Some(expected) = config.genesis_hash
            && expected != genesis_hash
        {
            return Err(BackendError::WrongCluster {
                url: config.site(),
                found: found.to_string(),
                expected: solana_hash::Hash::new_from_array(expected).to_string(),
            });
        }
        Ok(Self { inner: Arc::new(Inner { rpc, config, genesis_hash }) })
    }

    /// Genesis hash of the cluster.
    #[must_use]
    pub fn genesis_hash(&self) -> [u8; 32] {
        self.inner.genesis_hash
    }

    /// How it was configured.
    #[must_use]
    pub fn config(&self) -> &GatewayConfig {
        &self.inner.config
    }

    fn rpc(&self) -> &Rpc {
        &self.inner.rpc
    }

    /// The node still serves the cluster it served at first: a load balancer may change its mind.
    pub(crate) async fn recheck_genesis(&self) -> Result<()> {
        let found = self.read("getGenesisHash", || self.rpc().get_genesis_hash()).await?;
        if found.to_bytes() == self.inner.genesis_hash {
            return Ok(());
        }
        Err(BackendError::WrongCluster {
            url: self.config().site(),
            found: found.to_string(),
            expected: solana_hash::Hash::new_from_array(self.inner.genesis_hash).to_string(),
        })
    }

    /// Asks a question that changes nothing, again where the network was at fault.
    async fn read<T, F, Fut>(&self, method: &'static str, ask: F) -> Result<T>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = std::result::Result<T, ClientError>>,
    {
        patient(&self.inner.config, method, ask).await
    }
}

/// Asks once, within the configured time.
async fn once<T>(
    config: &GatewayConfig,
    method: &'static str,
    ask: impl Future<Output = std::result::Result<T, ClientError>>,
) -> Result<T> {
    match tokio::time::timeout(config.timeout, ask).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(faults::translate(config, method, &error)),
        Err(_) => Err(BackendError::Slow { url: config.site(), timeout: config.timeout }),
    }
}

async fn patient<T, F, Fut>(config: &GatewayConfig, method: &'static str, ask: F) -> Result<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = std::result::Result<T, ClientError>>,
{
    let mut pause = BACKOFF;
    for _ in 1..ATTEMPTS {
        match once(config, method, ask()).await {
            Err(e) if faults::worth_another_try(&e) => tokio::time::sleep(pause).await,
            done => return done,
        }
        pause = pause.saturating_mul(2);
    }
    once(config, method, ask()).await
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
            let config = GatewayConfig::new(url);
            assert_eq!(config.site(), "https://rpc.example.org");
            assert!(!format!("{config:?}").contains("secret"));
        }
        for url in ["http://127.0.0.1:8899", "http://[::1]:8899", "http://[::1]"] {
            assert_eq!(GatewayConfig::new(url).site(), url);
        }
        for url in [
            "https://user:12/secret@rpc.example.org",
            "https://user:a@secret/rest@rpc.example.org",
            "https://user:secret:rpc.example.org",
            "https://user@sec'ret",
        ] {
            assert_eq!(GatewayConfig::new(url).site(), "https://…", "{url}");
        }
        assert_eq!(GatewayConfig::new("user:secret@rpc.example.org").site(), "…");
    }
}
