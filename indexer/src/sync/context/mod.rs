//! The state that the mirror's tasks share: nodes, store, health, run, and the stop signal. It holds
//! values and notifies; the tasks decide.
mod owner;
mod writing;

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};
use tracing::warn;

use crate::{
    ops::{
        health::{Conn, Health, Reason},
        metrics::Metrics,
    },
    source::{
        SourceConfig,
        endpoints::Endpoints,
        error::{IndexerError, Result},
        rpc::Rpc,
    },
    store::{Marks, Run, Store},
    sync::write_buffer::StreamProgress,
};

/// Where an error in [`Health::error`] comes from: each origin clears only its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    Store,
    Lease,
    Connection,
    Snapshot,
    Reorg,
    Clock,
    Quarantine,
    History,
}

const ORIGINS: usize = 8;

impl Origin {
    /// The health reason of an error from this origin.
    fn reason(self) -> Option<Reason> {
        match self {
            Self::Store | Self::Lease => Some(Reason::DbDown),
            Self::Snapshot => Some(Reason::SnapshotSuspect),
            Self::Quarantine => Some(Reason::Quarantine),
            Self::History => Some(Reason::HistoryBehind),
            Self::Connection | Self::Reorg | Self::Clock => None,
        }
    }
}

const ALL: [Origin; ORIGINS] = [
    Origin::Store,
    Origin::Lease,
    Origin::Connection,
    Origin::Snapshot,
    Origin::Reorg,
    Origin::Clock,
    Origin::Quarantine,
    Origin::History,
];

/// A node's progress over HTTP, and the number of the connection to which it belongs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NodeProgress {
    pub(crate) connection: u64,
    pub(crate) progress: StreamProgress,
}

/// The shared state of the tasks.
pub struct MirrorContext {
    pub(crate) config: SourceConfig,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metrics: Metrics,
    /// Display name as holder of the lease.
    pub(crate) owner: String,
    pub(crate) endpoints: Endpoints,
    stop: watch::Receiver<bool>,
    /// Notified to request a snapshot.
    pub(crate) reread: Notify,
    /// Set when the mirror has given up or was told to stop.
    pub(crate) over: watch::Sender<bool>,
    /// Genesis hash of the store, once known.
    pub(crate) genesis: OnceLock<[u8; 32]>,
    /// The run that holds the lease, while there is one.
    pub(crate) run: watch::Sender<Option<Run>>,
    /// Sequence number of the run's last message.
    seq: AtomicU32,
    /// Slot of the last complete snapshot: older states are ignored.
    floor: AtomicU64,
    /// Counts the connections.
    pub(crate) connection: AtomicU64,
    /// The node's newest progress over HTTP.
    pub(crate) node_progress: watch::Sender<NodeProgress>,
    marks: Mutex<Marks>,
    pub(crate) health: watch::Sender<Health>,
    pub(crate) revision: watch::Sender<u64>,
    errors: Mutex<[Option<String>; ORIGINS]>,
    /// The last note in the store about what stops the audit log; the outer [`None`] is "not read yet".
    pub(crate) history_note: tokio::sync::Mutex<Option<Option<String>>>,
    store_down: AtomicBool,
    filling: AtomicBool,
    not_filled: AtomicBool,
    /// The store's revision at which every account named by another account was known.
    pub(crate) named_at: AtomicU64,
    /// Set when nothing more will be written.
    ended: watch::Sender<bool>,
}

impl MirrorContext {
    pub(crate) fn new(
        config: SourceConfig,
        store: Arc<dyn Store>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            metrics: config.metrics.clone(),
            owner: owner::owner(),
            endpoints: Endpoints::new(&config),
            config,
            store,
            stop,
            reread: Notify::new(),
            over: watch::Sender::new(false),
            genesis: OnceLock::new(),
            run: watch::Sender::new(None),
            seq: AtomicU32::new(0),
            floor: AtomicU64::new(0),
            connection: AtomicU64::new(0),
            node_progress: watch::Sender::new(NodeProgress::default()),
            marks: Mutex::default(),
            health: watch::Sender::new(Health::default()),
            revision: watch::Sender::new(0),
            errors: Mutex::default(),
            history_note: tokio::sync::Mutex::default(),
            store_down: AtomicBool::new(false),
            filling: AtomicBool::new(false),
            not_filled: AtomicBool::new(false),
            named_at: AtomicU64::new(u64::MAX),
            ended: watch::Sender::new(false),
        }
    }

    /// The current node.
    pub(crate) fn rpc(&self) -> Rpc {
        self.endpoints.current()
    }

    /// Records a new run.
    pub(crate) fn begun(&self, run: Run) {
        self.seq.store(0, Ordering::Relaxed);
        self.floor.store(run.snapshot_slot, Ordering::Relaxed);
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner) = Marks::default();
        self.run.send_replace(Some(run));
    }

    /// The run that holds the lease.
    ///
    /// # Errors
    /// [`IndexerError::UsedUp`] when there is none.
    pub(crate) fn run(&self) -> Result<Run> {
        self.run.borrow().ok_or(IndexerError::UsedUp)
    }

    /// Write version of the next message.
    ///
    /// # Errors
    /// [`IndexerError::UsedUp`] when the run has no number left.
    pub(crate) fn next_write_version(&self, run: Run) -> Result<u64> {
        let next =
            self.seq.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_add(1));
        next.map(|before| run.write_version(before.saturating_add(1)))
            .map_err(|_| IndexerError::UsedUp)
    }

    /// The slot below which states are ignored.
    pub(crate) fn floor(&self) -> u64 {
        self.floor.load(Ordering::Relaxed)
    }

    /// Raises the floor to `slot`, after a complete snapshot.
    pub(crate) fn raise_floor(&self, slot: u64) {
        self.floor.fetch_max(slot, Ordering::Relaxed);
    }

    /// The marks to write to the store.
    pub(crate) fn marks(&self) -> Marks {
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Raises the marks, also in health.
    pub(crate) fn mark(&self, marks: Marks) {
        let now = {
            let mut now = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
            now.frontier = now.frontier.max(marks.frontier);
            now.root = now.root.max(marks.root);
            now.confirmed = now.confirmed.max(marks.confirmed);
            *now
        };
        self.health.send_if_modified(|h| {
            let before = (h.frontier, h.confirmed);
            h.frontier = h.frontier.max(now.frontier.unwrap_or(0));
            h.confirmed = h.confirmed.max(now.confirmed.unwrap_or(0));
            before != (h.frontier, h.confirmed)
        });
    }

    pub(crate) fn report(&self, origin: Origin, error: Option<String>) {
        let (first, reasons) = {
            let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kept) = errors.get_mut(origin as usize) {
                if let Some(error) = error.as_ref().filter(|e| kept.as_ref() != Some(e)) {
                    warn!(?origin, "{error}");
                }
                *kept = error;
            }
            let reasons =
                ALL.map(|o| (o.reason(), errors.get(o as usize).is_some_and(Option::is_some)));
            (errors.iter().flatten().next().cloned(), reasons)
        };
        self.health.send_if_modified(|h| {
            let mut changed = h.error != first;
            h.error = first;
            for (reason, _) in reasons {
                let Some(reason) = reason else { continue };
                let holds = reasons.iter().any(|(r, holds)| *r == Some(reason) && *holds);
                changed |= h.set(reason, holds);
            }
            changed
        });
    }

    /// Adds or removes a health reason.
    pub(crate) fn reason(&self, reason: Reason, holds: bool) {
        self.health.send_if_modified(|h| h.set(reason, holds));
    }

    pub(crate) fn connection(&self, conn: Conn) {
        self.health.send_if_modified(|h| {
            let changed = h.conn != conn;
            h.conn = conn;
            changed
        });
    }

    /// Records a websocket message; `slot` and `root` are 0 if it names none.
    pub(crate) fn heard(&self, slot: u64, root: u64) {
        self.health.send_modify(|h| {
            h.last_frame = Some(Instant::now());
            if slot > 0 {
                h.slot = slot;
            }
            h.root = h.root.max(root);
        });
    }

    /// Records the node's progress over HTTP during connection number `connection`.
    pub(crate) fn node_progress(&self, connection: u64, progress: StreamProgress) {
        self.node_progress.send_modify(|node_progress| {
            if connection > node_progress.connection {
                *node_progress = NodeProgress { connection, progress };
            } else if connection == node_progress.connection {
                node_progress.progress = node_progress.progress.max(progress);
            }
        });
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Returns when the mirror should stop.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        // An error means that the `Indexer` was dropped, which also means stop.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// Returns when the mirror has given up.
    pub(crate) async fn given_up(&self) {
        let mut over = self.over.subscribe();
        // Cannot fail: `self` owns the sender.
        let _ = over.wait_for(|over| *over).await;
    }

    /// Declares that nothing more will be written.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Returns when nothing more will be written.
    pub(crate) async fn ended(&self) {
        let mut ended = self.ended.subscribe();
        // Cannot fail: `self` owns the sender.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Whether a bulk load is running, which blocks other writes.
    pub(crate) fn is_filling(&self) -> bool {
        self.filling.load(Ordering::Relaxed)
    }

    /// Whether a bulk load has failed.
    pub(crate) fn has_failed_to_fill(&self) -> bool {
        self.not_filled.load(Ordering::Relaxed)
    }

    /// Records a failed bulk load; the next reading writes batches instead.
    pub(crate) fn fail_to_fill(&self) {
        self.not_filled.store(true, Ordering::Relaxed);
    }

    /// Records the start or end of a bulk load.
    pub(crate) fn filling(&self, filling: bool) {
        self.filling.store(filling, Ordering::Relaxed);
    }

    /// Returns when nothing more may be written: on a request to stop, or when the mirror gave up.
    pub(crate) async fn done(&self) {
        tokio::select! {
            () = self.given_up() => {}
            () = self.stopped() => {}
        }
    }

    /// Checks that `rpc` belongs to the store's cluster. Must be called before data from it is written:
    /// the address may lead to another cluster by now.
    ///
    /// # Errors
    /// [`IndexerError::ClusterChanged`]; when the node does not answer.
    pub(crate) async fn same_cluster(&self, rpc: &Rpc) -> Result<()> {
        let now = rpc.genesis_hash().await?;
        match self.genesis.get() {
            Some(stored) if *stored != now => {
                let base58 = |hash: &[u8; 32]| bs58::encode(hash).into_string();
                let (url, stored, given) = (rpc.shown(), base58(stored), base58(&now));
                Err(IndexerError::ClusterChanged { url, stored, given })
            }
            _ => Ok(()),
        }
    }

    /// Sleeps until the time is over or the mirror should stop.
    pub(crate) async fn pause(&self, how_long: Duration) {
        tokio::select! {
            () = tokio::time::sleep(how_long) => {}
            () = self.stopped() => {}
        }
    }
}
