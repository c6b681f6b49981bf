//! Runs the mirror: one task each for connection, lease, clock, history, webhooks and retention. They
//! share a `MirrorContext` and report through one health value.
mod clock;
pub mod doctor;
mod history;
pub(crate) mod lease;
mod once;
mod retention;
mod standby;
mod supervise;
mod webhooks;

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};
use tracing::warn;

use crate::{
    ops::{health::Health, metrics::Metrics},
    source::SourceConfig,
    store::{Retention, Store},
    sync::context::MirrorContext,
    webhooks::Delivery,
};

pub use once::{Backfill, Refreshed, accounts_once, backfill_once, refresh_once};

/// How long a shutdown waits for the store.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

/// A running mirror. Dropping it ends the mirror at once. The store stays consistent, but the lease is
/// not released: the next process waits until it runs out.
pub struct Indexer {
    /// The mirror's health.
    pub health: watch::Receiver<Health>,
    /// The store's revision after each commit.
    pub revision: watch::Receiver<u64>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Indexer {
    /// Ends the mirror: writes the received changes and releases the lease. Waits a few seconds for a
    /// slow store; changes that were not written are read again at the next start.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, ended).await.is_err() {
            warn!("the store took too long to write what had arrived; the mirror ends without it");
            self.tasks.shutdown().await;
        }
    }
}

/// Builder of a mirror.
pub struct Mirror {
    config: SourceConfig,
    store: Arc<dyn Store>,
    retention: Retention,
    delivery: Delivery,
}

impl Mirror {
    /// A mirror of the program in `config` into `store`, without retention and webhooks.
    #[must_use]
    pub fn new(config: SourceConfig, store: Arc<dyn Store>) -> Self {
        Self { config, store, retention: Retention::default(), delivery: Delivery::default() }
    }

    /// Counts calls, faults and connections in `metrics`.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.config.metrics = metrics;
        self
    }

    /// Removes rows older than `retention` allows.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Announces finalised facts through `delivery`, while this process holds the lease.
    #[must_use]
    pub fn webhooks(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Starts the mirror. Never fails: errors are reported in [`Indexer::health`], and the mirror
    /// retries unless a retry cannot help.
    #[must_use]
    pub fn spawn(self) -> Indexer {
        let (stop, stopped) = watch::channel(false);
        let context = Arc::new(MirrorContext::new(self.config, self.store, stopped));
        let (health, revision) = (context.health.subscribe(), context.revision.subscribe());
        let mut tasks = JoinSet::new();
        tasks.spawn(supervise::supervise(Arc::clone(&context)));
        tasks.spawn(lease::renew_while_held(Arc::clone(&context)));
        tasks.spawn(clock::watch(Arc::clone(&context)));
        tasks.spawn(history::watch(Arc::clone(&context)));
        tasks.spawn(webhooks::watch(Arc::clone(&context), self.delivery));
        tasks.spawn(retention::retain(context, self.retention));
        Indexer { health, revision, stop, tasks }
    }
}

/// Starts a mirror of the program in `config` into `store`, as [`Mirror::spawn`] does.
#[must_use]
pub fn spawn(config: SourceConfig, store: Arc<dyn Store>) -> Indexer {
    Mirror::new(config, store).spawn()
}
