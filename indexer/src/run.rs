//! Runs the mirror: one task for the connection, one for the clock, one for history. They share the
//! link to node and store, and say how they do through one health value.
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use solana_pubkey::Pubkey;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use tracing::{info, warn};

use crate::{
    Conn, Health, IndexerError, Result, SourceConfig, Store, StoreError,
    audit::event::closes_an_account,
    backoff::Backoff,
    join::{Intake, RECHECK, merge, session},
    source::{history, rpc::Rpc, shown, socket::Frame},
    store::{Applied, Batch, Closing, Run},
};

/// A running mirror. Dropping it ends the mirror at once; the store stays whole either way.
pub struct Indexer {
    /// How it goes.
    pub health: watch::Receiver<Health>,
    /// The store's revision, changed after each commit.
    pub revision: watch::Receiver<u64>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Indexer {
    /// Ends the mirror after writing what has arrived.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Starts mirroring what `config` names into `store`. Never fails: what goes wrong is in
/// [`Indexer::health`], and the mirror keeps trying unless it is pointless.
#[must_use]
pub fn spawn(config: SourceConfig, store: Arc<dyn Store>) -> Indexer {
    let (stop, stopped) = watch::channel(false);
    let link = Arc::new(Link::new(config, store, stopped));
    let (health, revision) = (link.health.subscribe(), link.revision.subscribe());
    let mut tasks = JoinSet::new();
    tasks.spawn(supervise(Arc::clone(&link)));
    tasks.spawn(watch_clock(Arc::clone(&link)));
    tasks.spawn(watch_history(link));
    Indexer { health, revision, stop, tasks }
}

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
    running: watch::Sender<bool>,
    health: watch::Sender<Health>,
    revision: watch::Sender<u64>,
    errors: Mutex<[Option<String>; ORIGINS]>,
}

impl Link {
    fn new(config: SourceConfig, store: Arc<dyn Store>, stop: watch::Receiver<bool>) -> Self {
        Self {
            rpc: Rpc::new(&config),
            config,
            store,
            stop,
            reread: Notify::new(),
            running: watch::Sender::new(false),
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

    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Returns when the mirror should stop.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        // An error means that the indexer is gone, which is a request to stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// Sleeps, but not beyond a request to stop.
    async fn pause(&self, how_long: std::time::Duration) {
        tokio::select! {
            () = tokio::time::sleep(how_long) => {}
            () = self.stopped() => {}
        }
    }

    /// Tries `call` until the store answers. What has been read is worth more than a connection:
    /// if the store stays away, the socket fills up and the node closes it.
    async fn insist<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T>
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
        let applied = self.insist(|| self.store.apply(batch.clone())).await?;
        self.revised(applied.rev);
        Ok(applied)
    }

    pub(crate) async fn tombstone(
        &self,
        slot: u64,
        present: HashSet<Pubkey>,
        trusted: bool,
    ) -> Result<Closing> {
        let present = Arc::new(present);
        let done = self
            .insist(|| self.store.tombstone_missing(slot, Arc::clone(&present), trusted))
            .await?;
        let bad = self.insist(|| self.store.quarantined()).await?;
        self.report(Origin::Quarantine, bad.first().map(|b| b.error.clone()));
        self.revised(self.insist(|| self.store.revision()).await?);
        Ok(done)
    }

    fn revised(&self, rev: u64) {
        self.revision.send_if_modified(|r| std::mem::replace(r, rev) != rev);
    }
}

async fn supervise(link: Arc<Link>) {
    let mut backoff = Backoff::default();
    let mut begun: Option<Begun> = None;
    loop {
        let started = Instant::now();
        let ended = connect(&link, &mut begun).await;
        if link.is_stopping() {
            break link.connection(Conn::Stopped { reason: "The mirror was shut down.".into() });
        }
        let Err(error) = ended else { continue };
        link.report(Origin::Connection, Some(error.to_string()));
        if !error.is_transient() {
            break link.connection(Conn::Stopped { reason: error.to_string() });
        }
        backoff.settle(started, Instant::now());
        let wait = backoff.next(&mut rand::thread_rng());
        let retry_at = Instant::now() + wait;
        link.connection(Conn::Reconnecting { attempt: backoff.attempt(), retry_at });
        link.pause(wait).await;
    }
}

/// What outlives one connection.
struct Begun {
    intake: Intake,
    genesis: [u8; 32],
    /// Slot of the last complete snapshot.
    floor: u64,
}

async fn connect(link: &Link, begun: &mut Option<Begun>) -> Result<()> {
    let genesis = link.rpc.genesis_hash().await?;
    let begun = match begun {
        Some(begun) => begun,
        None => {
            let run = begin(link, &genesis).await?;
            info!(run = run.id, rpc = link.rpc.shown(), "mirror starts");
            let intake = Intake::new(run, link.config.program_id);
            begun.insert(Begun { intake, genesis, floor: run.snapshot_slot })
        }
    };
    if begun.genesis != genesis {
        let base58 = |hash: &[u8; 32]| bs58::encode(hash).into_string();
        return Err(IndexerError::ClusterChanged {
            url: shown(&link.config.rpc_url),
            stored: base58(&begun.genesis),
            given: base58(&genesis),
        });
    }
    session(link, &mut begun.intake, &mut begun.floor).await
}

async fn begin(link: &Link, genesis: &[u8; 32]) -> Result<Run> {
    let run = link.insist(|| link.store.begin_run(&link.config.program_id, genesis)).await?;
    link.revised(link.insist(|| link.store.revision()).await?);
    link.running.send_replace(true);
    Ok(run)
}

async fn watch_clock(link: Arc<Link>) {
    while !link.is_stopping() {
        match link.rpc.clock().await {
            Ok(clock) => {
                link.report(Origin::Clock, None);
                link.health.send_modify(|h| {
                    h.chain_time = Some(clock.unix);
                    h.read_at = Some(Instant::now());
                    if h.slot < clock.slot {
                        h.slot = clock.slot;
                    }
                });
            }
            Err(e) => link.report(Origin::Clock, Some(e.to_string())),
        }
        link.pause(link.config.clock).await;
    }
}

async fn watch_history(link: Arc<Link>) {
    let mut running = link.running.subscribe();
    // A store of another cluster must not get this one's history.
    tokio::select! {
        _ = running.wait_for(|running| *running) => {}
        () = link.stopped() => return,
    }
    let mut backoff = Backoff::default();
    while !link.is_stopping() {
        let started = Instant::now();
        let wait = match read_history(&link).await {
            Ok(_) => {
                link.report(Origin::History, None);
                backoff = Backoff::default();
                link.config.history
            }
            Err(e) => {
                link.report(Origin::History, Some(e.to_string()));
                backoff.settle(started, Instant::now());
                backoff.next(&mut rand::thread_rng()).max(link.config.history)
            }
        };
        link.pause(wait).await;
    }
}

/// Appends what became final since the last time; how many events.
async fn read_history(link: &Link) -> Result<u64> {
    /// Slots with transactions that are read and appended together.
    const SLOTS: usize = 64;
    let upto = link.rpc.finalized_slot().await?;
    let after = link.insist(|| link.store.history_mark()).await?;
    let history = history::between(&link.rpc, after, upto).await?;
    let mut added = 0u64;
    for part in history.chunks(SLOTS) {
        let entries = history::events(&link.rpc, &link.config.program_id, part).await?;
        let mark = part.last().map_or(after, |h| h.slot);
        let closes = entries.iter().any(|e| closes_an_account(&e.payload));
        let n = link.insist(|| link.store.append_audit(entries.clone(), mark)).await?;
        added = added.saturating_add(n);
        if closes {
            link.reread.notify_one();
        }
    }
    if added > 0 {
        link.revised(link.insist(|| link.store.revision()).await?);
    }
    Ok(added)
}

/// What one complete reading did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backfill {
    /// Slot of the snapshot.
    pub slot: u64,
    /// Accounts in it.
    pub accounts: u64,
    /// Rows with new content.
    pub written: u64,
    /// Rows that were closed.
    pub closed: u64,
    /// Events that were new.
    pub events: u64,
}

/// Reads all accounts and all finalised history once, without a websocket.
///
/// # Errors
/// When node or store fail, once; what was written until then is kept.
pub async fn backfill_once(config: SourceConfig, store: Arc<dyn Store>) -> Result<Backfill> {
    // Set from the start, so that nothing is tried a second time.
    let (_stop, stopped) = watch::channel(true);
    let link = Link::new(config, store, stopped);
    let genesis = link.rpc.genesis_hash().await?;
    let run = begin(&link, &genesis).await?;
    let snapshot = link.rpc.snapshot(run.snapshot_slot).await?;
    let mut slot = snapshot.slot;
    let joined = match merge(&link, snapshot, false).await {
        // As on a connection: the same answer twice is believed, unless it is an empty one.
        Err(IndexerError::Suspect { seen, .. }) if seen > 0 => {
            tokio::time::sleep(RECHECK.min(link.config.reconcile)).await;
            let again = link.rpc.snapshot(slot).await?;
            slot = again.slot;
            let same = u64::try_from(again.accounts.len()).is_ok_and(|n| n == seen);
            merge(&link, again, same).await?
        }
        joined => joined?,
    };
    let events = read_history(&link).await?;
    let crate::join::Joined { accounts, written, closed } = joined;
    Ok(Backfill { slot, accounts, written, closed, events })
}
