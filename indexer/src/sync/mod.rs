//! How stream and snapshot become one state: subscribe, wait for the acknowledgement and the first
//! slot, only then read all accounts; what the stream says meanwhile is written beside it. The
//! store's rule `(slot, write_version)` makes the order of arrival irrelevant, so nothing here compares
//! contents to decide which is newer.
//!
//! One connection is a few tasks: [`ingest`] takes messages in and never waits for the store,
//! [`write`] writes what was taken in, [`reading`] reads all accounts now and then, [`watch`] says
//! which accounts are watched, [`probe`] notices a subscription that died, [`lag`] a node that is
//! behind others, and [`crate::sync::reorg`] what did not become final.
mod absent;
pub(crate) mod context;
mod ingest;
mod lag;
mod probe;
mod reading;
mod reorg;
pub(crate) mod snapshot;
mod watch;
mod watermark;
mod write;
pub mod write_buffer;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use solana_pubkey::Pubkey;
use tokio::{
    sync::{Notify, watch as cell},
    task::JoinSet,
    time::Instant,
};
use tracing::{Instrument, info_span};

use self::{
    snapshot::Joined,
    write_buffer::{StreamProgress, WriteBuffer},
};
use crate::{
    ops::health::{Conn, Reason},
    source::{error::Result, rpc::Rpc, websocket::Socket},
    store::{Marks, Run},
    sync::context::{MirrorContext, Origin},
};

/// How soon a snapshot that failed is read again.
pub const SNAPSHOT_RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// One connection, as its tasks share it.
pub(crate) struct Session {
    pub(crate) context: Arc<MirrorContext>,
    pub(crate) rpc: Rpc,
    pub(crate) run: Run,
    /// Whether the slot in an account's message is that of its state, see [`Rpc::is_surfnet`].
    pub(crate) stamps_slots: bool,
    /// Its number.
    connection: u64,
    write_buffer: Mutex<WriteBuffer>,
    /// Something waits to be written.
    arrived: Notify,
    /// Whether [`ingest`] has taken in its last message.
    fed: AtomicBool,
    /// First slot that the stream tells of in full.
    first: cell::Sender<Option<u64>>,
    /// How far what the stream told is in the store.
    pub(crate) written: cell::Sender<StreamProgress>,
    /// Held by whoever writes what was told, or keeps it from being written: a first snapshot needs
    /// an empty store.
    turn: tokio::sync::Mutex<()>,
    watched: cell::Sender<Vec<Pubkey>>,
    /// Something was written that may change which accounts are watched.
    view_moved: Notify,
    /// Gaps in what is mirrored: the first is from before the connection.
    gaps: AtomicU64,
    /// How many of them a complete reading has closed.
    repaired: AtomicU64,
    /// Slots of complete snapshots that are not final yet.
    unrooted: Mutex<Vec<u64>>,
    /// When it became live.
    live_since: Mutex<Option<Instant>>,
    /// The highest slot that is believed without asking again.
    horizon: AtomicU64,
}

/// How a connection went.
pub(crate) struct ConnectionOutcome {
    /// Why it ended; `Ok` on a request to stop.
    pub(crate) why: Result<()>,
    /// Since when it was live; `None` if it never was.
    pub(crate) live_since: Option<Instant>,
}

/// One connection under `run`, from subscribing to its end. Returns only when it failed or was told
/// to stop.
pub(crate) async fn connect(context: &Arc<MirrorContext>, run: Run) -> ConnectionOutcome {
    let span = info_span!("connect", rpc = context.rpc().shown());
    let opening = async {
        tokio::select! {
            opened = open(context, run) => opened.map(Some),
            () = context.stopped() => Ok(None),
        }
    };
    let (session, socket) = match opening.instrument(span.clone()).await {
        Ok(Some(opened)) => opened,
        Ok(None) => return ConnectionOutcome { why: Ok(()), live_since: None },
        Err(e) => return ConnectionOutcome { why: Err(e), live_since: None },
    };
    let why = session.hold(socket).instrument(span).await;
    let live_since = *session.live_since.lock().unwrap_or_else(PoisonError::into_inner);
    ConnectionOutcome { why, live_since }
}

async fn open(context: &Arc<MirrorContext>, run: Run) -> Result<(Arc<Session>, Socket)> {
    let rpc = context.rpc();
    let connection = context.connection.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    let stamps_slots = !rpc.is_surfnet().await?;
    // A connection may have ended between the end of its snapshot and its being noted here.
    context.raise_floor(context.retry_until_ok(|| context.store.state()).await?.snapshot_slot);
    let view = context.retry_until_ok(|| context.store.view()).await?;
    let watched = watch::list(&view);
    let socket = Socket::connect(&context.config, &rpc, &watched).await?;
    let session = Session {
        context: Arc::clone(context),
        rpc,
        run,
        stamps_slots,
        connection,
        write_buffer: Mutex::default(),
        arrived: Notify::new(),
        fed: AtomicBool::new(false),
        first: cell::Sender::new(None),
        written: cell::Sender::new(StreamProgress::default()),
        turn: tokio::sync::Mutex::default(),
        watched: cell::Sender::new(watched),
        view_moved: Notify::new(),
        gaps: AtomicU64::new(1),
        repaired: AtomicU64::new(0),
        unrooted: Mutex::default(),
        live_since: Mutex::new(None),
        horizon: AtomicU64::new(0),
    };
    Ok((Arc::new(session), socket))
}

/// Ends the connection when its run may not write any more, also when there is nothing to write.
async fn displaced(session: Arc<Session>) -> Result<()> {
    let mut run = session.context.run.subscribe();
    // The sender is a part of the context.
    let _ = run.wait_for(|now| *now != Some(session.run)).await;
    Err(crate::source::error::IndexerError::UsedUp)
}

impl Session {
    /// Runs the tasks until one fails, or all have ended because the mirror stops.
    async fn hold(self: &Arc<Self>, socket: Socket) -> Result<()> {
        let mut tasks = JoinSet::new();
        let span = tracing::Span::current();
        tasks.spawn(ingest::ingest(Arc::clone(self), socket).instrument(span.clone()));
        tasks.spawn(write::write(Arc::clone(self)).instrument(span.clone()));
        let side = |task: std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send>>| {
            let session = Arc::clone(self);
            async move {
                tokio::select! {
                    ended = task => ended,
                    () = session.context.stopped() => Ok(()),
                }
            }
        };
        tasks.spawn(side(Box::pin(reading::read(Arc::clone(self)))).instrument(span.clone()));
        tasks.spawn(side(Box::pin(watch::stand_by(Arc::clone(self)))).instrument(span.clone()));
        tasks.spawn(side(Box::pin(probe::probe(Arc::clone(self)))).instrument(span.clone()));
        tasks.spawn(side(Box::pin(lag::lag(Arc::clone(self)))).instrument(span.clone()));
        tasks.spawn(side(Box::pin(displaced(Arc::clone(self)))).instrument(span.clone()));
        tasks.spawn(
            side(Box::pin(crate::sync::reorg::watch_roots(Arc::clone(self)))).instrument(span),
        );
        while let Some(ended) = tasks.join_next().await {
            // A task that panicked ends the connection like one that failed.
            ended.unwrap_or(Err(crate::source::error::IndexerError::UsedUp))?;
        }
        Ok(())
    }

    fn write_buffer(&self) -> MutexGuard<'_, WriteBuffer> {
        self.write_buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is missing but what is on its way.
    pub(crate) fn is_whole(&self) -> bool {
        self.gaps.load(Ordering::Relaxed) == self.repaired.load(Ordering::Relaxed)
    }

    /// Whether a snapshot of this connection is in the store.
    fn is_joined(&self) -> bool {
        self.repaired.load(Ordering::Relaxed) > 0
    }

    /// Something may be missing: nothing counts as complete before everything was read again.
    pub(crate) fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
        self.context.reason(Reason::GapFill, true);
        self.context.reread.notify_one();
    }

    /// A reading, which began after gap number `gap`, is in the store. What it claims of its slot is
    /// less where the node's list was cut short.
    fn repair(&self, gap: u64, joined: &Joined) {
        let slot = joined.slot;
        let before = self.repaired.fetch_max(gap, Ordering::Relaxed);
        if before < gap && self.connection > 1 {
            self.context.metrics.gap_repair();
        }
        let mut unrooted = self.unrooted.lock().unwrap_or_else(PoisonError::into_inner);
        // What was asked for by address is of a later slot, which may not stay either.
        unrooted.extend([slot, joined.asked].iter().filter(|slot| **slot > 0));
        drop(unrooted);
        self.live_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(Instant::now);
        if joined.is_snapshot() {
            self.context.raise_floor(slot);
            self.context.health.send_modify(|h| h.snapshot = h.snapshot.max(Some(slot)));
            self.context.reason(Reason::Startup, false);
        }
        self.context.reason(Reason::SocketSilent, false);
        self.context.reason(Reason::NodeBehind, false);
        self.context.report(Origin::Connection, None);
        let doubt = joined.doubt(self.rpc.shown()).map(|doubt| doubt.to_string());
        self.context.report(Origin::Snapshot, doubt);
        if self.is_whole() {
            self.context.reason(Reason::GapFill, false);
            self.context.connection(Conn::Live);
            let confirmed = Some(self.written.borrow().confirmed.max(slot));
            self.context.mark(Marks { confirmed, ..Marks::default() });
        }
    }

    /// What the stream told up to `progress` is in the store.
    fn reached(&self, progress: StreamProgress) {
        self.written.send_if_modified(|written| {
            let now = written.max(progress);
            std::mem::replace(written, now) != now
        });
        if self.is_whole() {
            let confirmed = Some(progress.confirmed).filter(|slot| *slot > 0);
            self.context.mark(Marks { confirmed, ..Marks::default() });
        }
    }

    /// Slots of complete snapshots up to `root`.
    pub(crate) fn snapshots_upto(&self, root: u64) -> Vec<u64> {
        let unrooted = self.unrooted.lock().unwrap_or_else(PoisonError::into_inner);
        unrooted.iter().copied().filter(|slot| *slot <= root).collect()
    }

    /// The snapshots up to `root` are final, or were read again.
    pub(crate) fn forget_snapshots(&self, root: u64) {
        let mut unrooted = self.unrooted.lock().unwrap_or_else(PoisonError::into_inner);
        unrooted.retain(|slot| *slot > root);
    }
}
