//! The client of one node. Every request has a timeout. A request that changes nothing is sent again when
//! the network was at fault.
use std::{future::Future, sync::Arc, time::Duration};

use solana_client::{client_error::ClientError, nonblocking::rpc_client::RpcClient as Rpc};

use crate::{
    chain::{config::ChainClientConfig, rpc_error},
    error::{BackendError, Result},
};

/// Most attempts at a request that changes nothing.
const MAX_ATTEMPTS: u32 = 4;
/// Pause before the second attempt; doubles each time.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(200);

struct Connection {
    rpc: Rpc,
    config: ChainClientConfig,
    genesis_hash: [u8; 32],
}

/// A node that was reached and is on the expected cluster.
#[derive(Clone)]
pub struct ChainClient {
    inner: Arc<Connection>,
}

impl ChainClient {
    /// Reaches the node and compares its genesis hash.
    ///
    /// # Errors
    /// Unreachable, slow, rate-limited, or [`BackendError::WrongCluster`].
    pub async fn connect(config: ChainClientConfig) -> Result<Self> {
        let rpc = Rpc::new_with_timeout_and_commitment(
            config.rpc_url.clone(),
            config.timeout,
            config.commitment,
        );
        let found = ask_with_retries(&config, "getGenesisHash", || rpc.get_genesis_hash()).await?;
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
        Ok(Self { inner: Arc::new(Connection { rpc, config, genesis_hash }) })
    }

    /// Genesis hash of the cluster.
    #[must_use]
    pub fn genesis_hash(&self) -> [u8; 32] {
        self.inner.genesis_hash
    }

    /// The configuration it was connected with.
    #[must_use]
    pub fn config(&self) -> &ChainClientConfig {
        &self.inner.config
    }

    pub(super) fn rpc(&self) -> &Rpc {
        &self.inner.rpc
    }

    /// Refuses when the node no longer serves the cluster it served at first, as a load balancer may do.
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

    /// Sends a request that changes nothing, and again when the network was at fault.
    pub(super) async fn read<T, F, Fut>(&self, method: &'static str, ask: F) -> Result<T>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = std::result::Result<T, ClientError>>,
    {
        ask_with_retries(&self.inner.config, method, ask).await
    }
}

/// Sends a request once, within the configured time.
pub(super) async fn ask_once<T>(
    config: &ChainClientConfig,
    method: &'static str,
    ask: impl Future<Output = std::result::Result<T, ClientError>>,
) -> Result<T> {
    match tokio::time::timeout(config.timeout, ask).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(rpc_error::translate(config, method, &error)),
        Err(_) => Err(BackendError::Slow { url: config.site(), timeout: config.timeout }),
    }
}

async fn ask_with_retries<T, F, Fut>(
    config: &ChainClientConfig,
    method: &'static str,
    ask: F,
) -> Result<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = std::result::Result<T, ClientError>>,
{
    let mut pause = FIRST_RETRY_DELAY;
    for _ in 1..MAX_ATTEMPTS {
        match ask_once(config, method, ask()).await {
            Err(e) if rpc_error::worth_another_try(&e) => tokio::time::sleep(pause).await,
            done => return done,
        }
        pause = pause.saturating_mul(2);
    }
    ask_once(config, method, ask()).await
}
