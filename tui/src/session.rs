//! Opens what commands and screens need: the store, the signer, the client of the node. Nothing is written before
//! everything needed is open.
use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use backend::{
    Backend, FileArchive, FileSigner, Signer,
    chain::{ChainClient, ChainClientConfig},
};
use indexer::{
    Limits, Mirror, PostgresStore, SentRow, SourceConfig, SqliteStore, Store, StoreError,
    ops::redact::Secrets, source::Endpoint, webhooks::Delivery,
};
use solana_pubkey::Pubkey;

use crate::{
    config::{Address, Node, Settings, Webhook},
    model::cluster::{Cluster, ClusterKind},
};

/// Timeout of one request to the node.
const RPC_TIMEOUT: Duration = Duration::from_secs(20);

/// How often all accounts of a local chain are read again.
const LOCAL_RECONCILE_INTERVAL: Duration = Duration::from_secs(1);

/// What a command or the screens work with.
#[derive(Clone)]
pub struct Session {
    pub settings: Settings,
    /// What must never appear in a message or the log.
    pub secrets: Secrets,
    /// The mirror.
    pub store: Arc<dyn Store>,
    /// Whether the chain is the sandbox's.
    pub sandbox: bool,
    /// Folder of the archive: the old bytes of migrated accounts.
    pub archive: std::path::PathBuf,
    /// Why there is no mirror. `store` is then an empty one in memory.
    pub without_mirror: Option<String>,
}

impl Session {
    /// Opens the store.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn open(settings: Settings, secrets: Secrets) -> Result<Self> {
        let store: Arc<dyn Store> = match &settings.database_url {
            Some(url) => Arc::new(PostgresStore::connect(url.as_str()).await?),
            None => Arc::new(SqliteStore::open(settings.sqlite())?),
        };
        Ok(Self::with(settings, secrets, store))
    }

    /// Opens the store. If that fails, prints a warning and uses an empty store in memory, because a veto or a pause
    /// needs only a node and a key.
    ///
    /// # Errors
    /// When even the store in memory cannot be made.
    pub async fn open_or_do_without(settings: Settings, secrets: Secrets) -> Result<Self> {
        Self::open_unless(settings, secrets, |_| true).await
    }

    /// As [`Self::open_or_do_without`], but only a store that does not answer is replaced; any other problem is an
    /// error.
    ///
    /// # Errors
    /// When the store answers but cannot be used.
    pub async fn open_if_reachable(settings: Settings, secrets: Secrets) -> Result<Self> {
        let is_down = |error: &anyhow::Error| {
            error.downcast_ref::<StoreError>().is_some_and(StoreError::is_transient)
        };
        Self::open_unless(settings, secrets, is_down).await
    }

    async fn open_unless(
        settings: Settings,
        secrets: Secrets,
        do_without: impl Fn(&anyhow::Error) -> bool,
    ) -> Result<Self> {
        match Self::open(settings.clone(), secrets.clone()).await {
            Ok(session) => Ok(session),
            Err(error) if !do_without(&error) => Err(error),
            Err(error) => {
                let reason = secrets.scrub(&format!("{error:#}"));
                let reason = crate::text::clean(&reason);
                eprintln!(
                    "Warning: {reason} Continuing with the chain alone; sent transactions are not recorded."
                );
                let store: Arc<dyn Store> = Arc::new(SqliteStore::open_in_memory()?);
                let session = Self::with(settings, secrets, store);
                Ok(Self { without_mirror: Some(reason), ..session })
            }
        }
    }

    /// Opens the store for reading. A missing file is not created.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn open_reading(settings: Settings, secrets: Secrets) -> Result<Self> {
        let store: Arc<dyn Store> = match &settings.database_url {
            Some(url) => Arc::new(PostgresStore::connect(url.as_str()).await?),
            None => Arc::new(SqliteStore::open_read_only(settings.sqlite())?),
        };
        Ok(Self::with(settings, secrets, store))
    }

    fn with(settings: Settings, secrets: Secrets, store: Arc<dyn Store>) -> Self {
        let archive = settings.data_dir.join("archive");
        Self { settings, secrets, store, sandbox: false, archive, without_mirror: None }
    }

    /// The signer from the key file. `None` without one, and in read-only mode.
    ///
    /// # Errors
    /// When the key file cannot be read.
    pub fn signer(&self) -> Result<Option<Arc<dyn Signer>>> {
        match &self.settings.keypair {
            Some(key) if !self.settings.read_only => {
                let signer: Arc<dyn Signer> = Arc::new(FileSigner::open(&key.path()?)?);
                Ok(Some(signer))
            }
            _ => Ok(None),
        }
    }

    /// The indexer's mirror of `source` in `store`, with the configured retention and webhooks.
    ///
    /// # Errors
    /// As [`Self::delivery`].
    pub fn mirror(&self, source: SourceConfig, store: Arc<dyn Store>) -> Result<Mirror> {
        let mirror = Mirror::new(source, store).retention(self.settings.retention);
        Ok(mirror.webhooks(self.delivery()?))
    }

    /// The webhooks that the mirror sends to. None in the sandbox: its events are not real.
    ///
    /// # Errors
    /// When the secret of a webhook cannot be read.
    fn delivery(&self) -> Result<Delivery> {
        let hooks = if self.sandbox { &[] } else { self.settings.webhooks.as_slice() };
        Ok(Delivery {
            hooks: hooks.iter().map(Webhook::open).collect::<Result<_>>()?,
            names: Arc::new(self.settings.names.clone()),
            ..Delivery::default()
        })
    }

    /// The nodes and the program that the indexer mirrors.
    pub fn source(&self) -> SourceConfig {
        source(&self.settings, self.cluster(None).kind)
    }

    /// From which lag and silence on the mirror counts as unhealthy.
    pub fn limits(&self) -> Limits {
        let usual = Limits::default();
        Limits { behind: self.settings.index.behind.unwrap_or(usual.behind), ..usual }
    }

    /// Connects to the node.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn backend(&self, signer: Option<Arc<dyn Signer>>) -> Result<Backend> {
        let client = chain_client(&self.settings).await.map_err(|e| self.clean(&e))?;
        let archive = FileArchive::at(&self.archive);
        Ok(Backend::new(client, Arc::new(archive), signer))
    }

    /// The cluster, from its genesis hash if that is known.
    pub fn cluster(&self, genesis: Option<[u8; 32]>) -> Cluster {
        let genesis = genesis.map(|g| Pubkey::new_from_array(g).to_string()).unwrap_or_default();
        let node = indexer::ops::redact::shown(self.settings.rpc_url.as_str());
        Cluster::identify(&genesis, &node, self.sandbox)
    }

    /// `error` without secrets.
    pub fn clean(&self, error: &impl std::fmt::Display) -> anyhow::Error {
        anyhow!(self.secrets.scrub(&error.to_string()))
    }

    /// Records a sent transaction in the store.
    ///
    /// # Errors
    /// When the store takes no write.
    pub async fn record(
        &self,
        proposal: impl Into<Option<Pubkey>>,
        tx: &backend::SentTx,
    ) -> Result<()> {
        let row = SentRow {
            at_ms: chrono::Utc::now().timestamp_millis(),
            verb: tx.verb.clone(),
            proposal: proposal.into(),
            signature: tx.signature.clone(),
            slot: tx.slot,
            units: tx.units,
            bytes: u64::try_from(tx.bytes).unwrap_or(u64::MAX),
            elapsed_ms: u64::try_from(tx.elapsed.as_millis()).unwrap_or(u64::MAX),
            error: tx.error.clone(),
        };
        self.store.record_sent(&row).await.context("The sent transaction could not be recorded.")
    }
}

/// Connects to the preferred node of `s`.
///
/// # Errors
/// The backend's error, which may contain secrets: the caller must remove them.
pub async fn chain_client(s: &Settings) -> backend::Result<ChainClient> {
    let usual = ChainClientConfig::new(s.rpc_url.as_str());
    let config = ChainClientConfig {
        timeout: RPC_TIMEOUT,
        unit_price: s.priority_fee,
        outcome_timeout: s.outcome_timeout.unwrap_or(usual.outcome_timeout),
        ..usual
    };
    ChainClient::connect(config).await
}

/// The nodes of `s` and how often accounts are read again on a cluster of this `kind`.
pub fn source(s: &Settings, kind: ClusterKind) -> SourceConfig {
    let whole = |url: &Address| url.as_str().to_owned();
    let endpoint = |n: &Node| Endpoint { rpc_url: whole(&n.rpc_url), ws_url: whole(&n.ws_url) };
    let others = s.others.iter().map(endpoint);
    let mut source = SourceConfig::new(whole(&s.rpc_url), whole(&s.ws_url), upgrade_manager::ID)
        .with_more(others);
    source.timeout = RPC_TIMEOUT;
    // Reading a local chain again costs nothing, and subscriptions miss closed accounts and updates that are older
    // than another process's snapshot.
    if kind != ClusterKind::Shared {
        source.reconcile = LOCAL_RECONCILE_INTERVAL;
    }
    if let Some(reconcile) = s.index.reconcile {
        source.reconcile = reconcile;
    }
    source.behind = s.index.behind.unwrap_or(source.behind);
    source
}
