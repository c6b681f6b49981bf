//! Runs the mirror: tasks for the connection, the lease, the clock, history and housekeeping. They
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

/// How long the end waits for the store.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

/// A running mirror. Dropping it ends the mirror at once; the store stays whole either way, but its
/// lease then runs out by itself instead of being given back.
pub struct Indexer {
    /// How it goes.
    pub health: watch::Receiver<Health>,
    /// The store's revision, changed after each commit.
    pub revision: watch::Receiver<u64>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Indexer {
    /// Ends the mirror after writing what has arrived, and gives the lease back. A store that does
    /// not take it is not waited for longer than a few seconds: what was not written is read again
    /// at the next start.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, ended).await.is_err() {
            warn!("the store took too long to write what had arrived; the mirror ends without it");
            self.tasks.shutdown().await;
        }
    }
}

/// A mirror that is about to run.
pub struct Mirror {
    config: SourceConfig,
    store: Arc<dyn Store>,
    retention: Retention,
    delivery: Delivery,
}

impl Mirror {
    /// Mirrors what `config` names into `store`, and no more.
    #[must_use]
    pub fn new(config: SourceConfig, store: Arc<dyn Store>) -> Self {
        Self { config, store, retention: Retention::default(), delivery: Delivery::default() }
    }

    /// The same, counted in `metrics`.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.config.metrics = metrics;
        self
    }

    /// The same; what is older than `retention` allows is removed.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// The same; what is final is announced by `delivery`, while this process is the one that
    /// writes.
    #[must_use]
    pub fn webhooks(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Starts it. Never fails: what goes wrong is in [`Indexer::health`], and the mirror keeps
    /// trying unless it is pointless.
    #[must_use]
    pub fn spawn(self) -> Indexer {
        let (stop, stopped) = watch::channel(false);
        let context = Arc::new(MirrorContext::new(self.config, self.store, stopped));
        let (health, revision) = (context.health.subscribe(), context.revision.subscribe());
        let mut tasks = JoinSet::new();
        tasks.spawn(supervise::supervise(Arc::clone(&context)));
        tasks.spawn(lease::keep(Arc::clone(&context)));
        tasks.spawn(clock::watch(Arc::clone(&context)));
        tasks.spawn(history::watch(Arc::clone(&context)));
        tasks.spawn(webhooks::watch(Arc::clone(&context), self.delivery));
        tasks.spawn(retention::retain(context, self.retention));
        Indexer { health, revision, stop, tasks }
    }
}

/// Starts mirroring what `config` names into `store`, as [`Mirror::spawn`] does.
#[must_use]
pub fn spawn(config: SourceConfig, store: Arc<dyn Store>) -> Indexer {
    Mirror::new(config, store).spawn()
}
