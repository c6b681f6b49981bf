//! The one way to the chain: a JSON-RPC node, asked with timeouts, asked again where that is
//! harmless, and never trusted about anything that can be checked.
mod explain;
mod faults;
mod manager_errors;
mod read;
mod send;
mod simulate;

use std::{future::Future, sync::Arc, time::Duration};

use solana_client::{client_error::ClientError, nonblocking::rpc_client::RpcClient as Rpc};
use solana_commitment_config::CommitmentConfig;

use crate::error::{BackendError, Result};

pub use explain::{Blame, Failure, explain};
pub use manager_errors::manager_error;
pub use read::{ChainTime, Filter, RawAccount};
pub(crate) use send::Landed;
pub use simulate::{MAX_UNITS, PACKET, Simulated, transaction_size, with_budget};

/// How often a harmless question is asked in all.
const ATTEMPTS: u32 = 4;
/// Pause before the second attempt; doubles each time.
const BACKOFF: Duration = Duration::from_millis(200);

/// Which node, and what is expected of it.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Address of the node's JSON-RPC.
    pub rpc_url: String,
    /// Genesis hash the cluster must have; `None` accepts any.
    pub genesis_hash: Option<[u8; 32]>,
    /// Longest wait for one answer.
    pub timeout: Duration,
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
            commitment: CommitmentConfig::confirmed(),
            unit_price: 0,
        }
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
                url: config.rpc_url,
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
            url: self.config().rpc_url.clone(),
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
        Err(_) => Err(BackendError::Slow { url: config.rpc_url.clone(), timeout: config.timeout }),
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
