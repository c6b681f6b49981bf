//! Runs the mirror: one task for the connection, one for the clock, one for history. They share the
//! link to node and store, and say how they do through one health value.
use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet, time::Instant};
use tracing::{info, warn};

use crate::{
    Conn, Health, IndexerError, Result, SourceConfig, Store,
    audit::event::closes_an_account,
    backoff::Backoff,
    join::{Held, Intake, RECHECK, merge, session},
    link::{Link, Origin},
    source::history::{self, History},
    store::Run,
};

/// How long the end waits for the store.
const DRAIN: Duration = Duration::from_secs(8);

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
    /// Ends the mirror after writing what has arrived. A store that does not take it is not waited
    /// for longer than a few seconds: what was not written is read again at the next start.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, ended).await.is_err() {
            warn!("the store took too long to write what had arrived; the mirror ends without it");
            self.tasks.shutdown().await;
        }
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

async fn supervise(link: Arc<Link>) {
    let mut backoff = Backoff::default();
    let mut begun: Option<Begun> = None;
    loop {
        let ended = connect(&link, &mut begun).await;
        if link.is_stopping() {
            break link.connection(Conn::Stopped { reason: "The mirror was shut down.".into() });
        }
        let Err(error) = ended else { continue };
        link.report(Origin::Connection, Some(error.to_string()));
        if !error.is_transient() {
            link.over.send_replace(true);
            break link.connection(Conn::Stopped { reason: error.to_string() });
        }
        // Only time in which the mirror was live counts: a node that takes half a minute to say
        // nothing did not hold.
        if let Some(since) = begun.as_ref().and_then(|b| b.held.live_since) {
            backoff.settle(since.into_std(), Instant::now().into_std());
        }
        let wait = backoff.next(&mut rand::thread_rng());
        let retry_at = std::time::Instant::now() + wait;
        link.connection(Conn::Reconnecting { attempt: backoff.attempt(), retry_at });
        link.pause(wait).await;
    }
}

/// What outlives one connection.
struct Begun {
    intake: Intake,
    held: Held,
}

async fn connect(link: &Link, begun: &mut Option<Begun>) -> Result<()> {
    let begun = tokio::select! {
        opened = open(link, begun) => opened?,
        () = link.stopped() => return Ok(()),
    };
    session(link, &mut begun.intake, &mut begun.held).await
}

/// Makes sure that node and store belong together.
async fn open<'a>(link: &Link, begun: &'a mut Option<Begun>) -> Result<&'a mut Begun> {
    Ok(match begun {
        Some(begun) => {
            begun.held.live_since = None;
            link.same_cluster().await?;
            begun
        }
        None => {
            let genesis = link.rpc.genesis_hash().await?;
            let run = begin(link, &genesis).await?;
            info!(run = run.id, rpc = link.rpc.shown(), "mirror starts");
            let intake = Intake::new(run, link.config.program_id);
            let held = Held { floor: run.snapshot_slot, live_since: None };
            begun.insert(Begun { intake, held })
        }
    })
}

async fn begin(link: &Link, genesis: &[u8; 32]) -> Result<Run> {
    let run =
        link.insist(|| link.store.begin_run(&link.config.program_id, genesis, "here")).await?;
    // Set twice only by a second begin with the same value.
    let _ = link.genesis.set(*genesis);
    link.revised(link.insist(|| link.store.revision()).await?);
    link.run.send_replace(run);
    link.running.send_replace(true);
    Ok(run)
}

async fn watch_clock(link: Arc<Link>) {
    tokio::select! {
        () = keep_clock(&link) => {}
        () = link.done() => {}
    }
}

async fn keep_clock(link: &Link) {
    loop {
        match link.rpc.clock().await {
            Ok(clock) => {
                link.report(Origin::Clock, None);
                link.health.send_modify(|h| {
                    h.chain_time = Some(clock.unix);
                    h.read_at = Some(std::time::Instant::now());
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
    // What is dropped halfway leaves nothing behind: every write is one transaction.
    tokio::select! {
        () = keep_history(&link) => {}
        () = link.done() => {}
    }
}

async fn keep_history(link: &Link) {
    let mut running = link.running.subscribe();
    // A store of another cluster must not get this one's history.
    let _ = running.wait_for(|running| *running).await;
    let mut backoff = Backoff::default();
    loop {
        let wait = match read_history(link).await {
            Ok(_) => {
                link.report(Origin::History, None);
                backoff = Backoff::default();
                link.config.history
            }
            Err(e) => {
                link.report(Origin::History, Some(e.to_string()));
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
    let known = !link.insist(|| link.store.audit(None, 1)).await?.is_empty();
    let mut history = History::between(&link.rpc, after, upto, known).await?;
    let mut added = 0u64;
    while let Some(slots) = history.next(&link.rpc).await? {
        for part in slots.chunks(SLOTS) {
            let entries = history::events(&link.rpc, &link.config.program_id, part).await?;
            link.same_cluster().await?;
            let mark = part.last().map_or(after, |h| h.slot);
            let closes = entries.iter().any(|e| closes_an_account(&e.payload));
            let run = *link.run.borrow();
            let n = link.insist(|| link.store.append_audit(&run, entries.clone(), mark)).await?;
            added = added.saturating_add(n);
            if closes {
                link.reread.notify_one();
            }
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
    let snapshot = link.snapshot(run.snapshot_slot).await?;
    let mut slot = snapshot.slot;
    let joined = match merge(&link, snapshot, false).await {
        // As on a connection: the same answer twice is believed, unless it is an empty one.
        Err(IndexerError::Suspect { seen, .. }) if seen > 0 => {
            tokio::time::sleep(RECHECK.min(link.config.reconcile)).await;
            let again = link.snapshot(slot).await?;
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
