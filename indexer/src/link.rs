//! What the mirror's tasks share: node, store, health, and the wish to stop.
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

use tokio::sync::{Notify, watch};
use tracing::warn;

use crate::{
    Conn, Health, IndexerError, Result, SourceConfig, Store, StoreError,
    backoff::Backoff,
    source::{rpc::Rpc, snapshot::Snapshot, socket::Frame},
    store::{Applied, Batch, Closing, Present, Quarantined, Run},
};

/// Where an error in [`Health::error`] comes from: each origin clears only its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    Store,
    Connection,
    Clock,
    Quarantine,
    History,
}

const ORIGINS: usize = 5;

/// Node, store and health, shared by the tasks.
pub struct Link {
    pub(crate) config: SourceConfig,
    pub(crate) rpc: Rpc,
    pub(crate) store: Arc<dyn Store>,
    stop: watch::Receiver<bool>,
    /// Asks for a snapshot now.
    pub(crate) reread: Notify,
    /// Set once the store belongs to this run.
    pub(crate) running: watch::Sender<bool>,
    /// Set when the mirror has given up.
    pub(crate) over: watch::Sender<bool>,
    /// The cluster that the store belongs to, once that is known.
    pub(crate) genesis: OnceLock<[u8; 32]>,
    /// The run that holds the lease, once there is one.
    pub(crate) run: watch::Sender<Run>,
    pub(crate) health: watch::Sender<Health>,
    pub(crate) revision: watch::Sender<u64>,
    errors: Mutex<[Option<String>; ORIGINS]>,
}

impl Link {
    pub(crate) fn new(
        config: SourceConfig,
        store: Arc<dyn Store>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            rpc: Rpc::new(&config),
            config,
            store,
            stop,
            reread: Notify::new(),
            running: watch::Sender::new(false),
            over: watch::Sender::new(false),
            genesis: OnceLock::new(),
            run: watch::Sender::new(Run::default()),
            health: watch::Sender::new(Health::default()),
            revision: watch::Sender::new(0),
            errors: Mutex::default(),
        }
    }

    pub(crate) fn report(&self, origin: Origin, error: Option<String>) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = errors.get_mut(origin as usize) {
            if let Some(error) = error.as_ref().filter(|e| slot.as_ref() != Some(e)) {
                warn!(?origin, "{error}");
            }
            *slot = error;
        }
        let first = errors.iter().flatten().next().cloned();
        self.health.send_if_modified(|h| {
            let changed = h.error != first;
            h.error = first;
            changed
        });
    }

    pub(crate) fn connection(&self, conn: Conn) {
        self.health.send_if_modified(|h| {
            let changed = h.conn != conn;
            h.conn = conn;
            changed
        });
    }

    pub(crate) fn heard(&self, frame: &Frame) {
        self.health.send_modify(|h| {
            h.last_frame = Some(Instant::now());
            if let Frame::Slot { slot, root } = frame {
                (h.slot, h.root) = (*slot, *root);
            }
        });
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Returns when the mirror should stop.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        // An error means that the indexer is gone, which is a request to stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// Returns when nothing more may be written: on a request to stop, or when the mirror gave up.
    pub(crate) async fn done(&self) {
        let mut over = self.over.subscribe();
        tokio::select! {
            _ = over.wait_for(|over| *over) => {}
            () = self.stopped() => {}
        }
    }

    /// Makes sure that the node still belongs to the cluster of the store. To be asked after a
    /// reading and before it is written: behind one address another chain may have started.
    ///
    /// # Errors
    /// [`IndexerError::ClusterChanged`]; when the node does not answer.
    pub(crate) async fn same_cluster(&self) -> Result<()> {
        let now = self.rpc.genesis_hash().await?;
        match self.genesis.get() {
            Some(stored) if *stored != now => {
                let base58 = |hash: &[u8; 32]| bs58::encode(hash).into_string();
                Err(IndexerError::ClusterChanged {
                    url: self.rpc.shown(),
                    stored: base58(stored),
                    given: base58(&now),
                })
            }
            _ => Ok(()),
        }
    }

    /// Every account of the manager, from a node of this cluster.
    ///
    /// # Errors
    /// As `Rpc::snapshot` and [`Self::same_cluster`].
    pub(crate) async fn snapshot(&self, min_slot: u64) -> Result<Snapshot> {
        let snapshot = self.rpc.snapshot(min_slot).await?.collect().await?;
        self.same_cluster().await?;
        Ok(snapshot)
    }

    /// Sleeps, but not beyond a request to stop.
    pub(crate) async fn pause(&self, how_long: std::time::Duration) {
        tokio::select! {
            () = tokio::time::sleep(how_long) => {}
            () = self.stopped() => {}
        }
    }

    /// Tries `call` until the store answers. What has been read is worth more than a connection:
    /// if the store stays away, the socket fills up and the node closes it.
    pub(crate) async fn insist<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut backoff = Backoff::default();
        loop {
            match call().await {
                Err(e) if e.is_transient() && !self.is_stopping() => {
                    self.report(Origin::Store, Some(e.to_string()));
                    let wait = backoff.next(&mut rand::thread_rng());
                    self.pause(wait).await;
                }
                done => {
                    if done.is_ok() {
                        self.report(Origin::Store, None);
                    }
                    return done.map_err(Into::into);
                }
            }
        }
    }

    pub(crate) async fn apply(&self, batch: Batch) -> Result<Applied> {
        if let Some(bad) = batch.quarantined.first() {
            self.report(Origin::Quarantine, Some(bad.error.clone()));
        }
        let run = *self.run.borrow();
        let applied = self.insist(|| self.store.apply(&run, batch.clone())).await?;
        self.revised(applied.rev);
        Ok(applied)
    }

    pub(crate) async fn tombstone(
        &self,
        slot: u64,
        present: Present,
        trusted: bool,
    ) -> Result<Closing> {
        let (run, present) = (*self.run.borrow(), Arc::new(present));
        let done = self
            .insist(|| self.store.tombstone_missing(&run, slot, Arc::clone(&present), trusted))
            .await?;
        let bad = self.insist(|| self.store.quarantined()).await?;
        self.report(Origin::Quarantine, set_aside(&bad));
        self.revised(self.insist(|| self.store.revision()).await?);
        Ok(done)
    }

    pub(crate) fn revised(&self, rev: u64) {
        self.revision.send_if_modified(|r| std::mem::replace(r, rev) != rev);
    }
}

/// How many accounts cannot be mirrored, and why the first of them cannot.
fn set_aside(bad: &[Quarantined]) -> Option<String> {
    match bad {
        [] => None,
        [one] => Some(one.error.clone()),
        [first, others @ ..] => {
            let n = others.len();
            Some(format!("{} {n} more cannot be mirrored either.", first.error))
        }
    }
}
