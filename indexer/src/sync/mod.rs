//! Joins stream and snapshot into one state: subscribes, waits for the acknowledgement and the
//! first slot, and only then reads all accounts, while stream changes are written beside the
//! snapshot. The store's rule `(slot, write_version)` makes the order of arrival irrelevant, so
//! nothing here compares contents to decide which is newer.
//!
//! One connection is a few tasks: `ingest` receives messages and never waits for the store, [`write`]
//! writes the buffer, `reading` reads all accounts periodically, `watch` maintains the watched
//! accounts, `probe` detects a dead subscription, `lag` a node that is behind others, and `reorg`
//! orphaned slots.
mod absent;
pub(crate) mod context;
mod ingest;
mod lag;
mod probe;
mod reading;
mod reorg;
mod session;
pub(crate) mod snapshot;
mod watch;
mod watermark;
mod write;
pub mod write_buffer;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::{
    sync::{Notify, watch as cell},
    task::JoinSet,
    time::Instant,
};
use tracing::{Instrument, info_span};

use self::{context::MirrorContext, session::Session, write_buffer::StreamProgress};
use crate::{
    source::{
        error::{IndexerError, Result},
        websocket::Socket,
    },
    store::Run,
};

/// How a connection ended.
pub(crate) struct ConnectionOutcome {
    /// Why it ended; `Ok` on a request to stop.
    pub(crate) why: Result<()>,
    /// Since when it was live; `None` if it never was.
    pub(crate) live_since: Option<Instant>,
}

/// Runs one connection under `run`, from subscribing to its end: an error or the stop signal.
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
    let why = hold(&session, socket).instrument(span).await;
    let live_since = *session.live_since.lock().unwrap_or_else(PoisonError::into_inner);
    ConnectionOutcome { why, live_since }
}

async fn open(context: &Arc<MirrorContext>, run: Run) -> Result<(Arc<Session>, Socket)> {
    let rpc = context.rpc();
    let connection = context.connection.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    let stamps_slots = !rpc.is_surfnet().await?;
    // An earlier connection may have ended between storing its snapshot and raising the floor.
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
        write_lock: tokio::sync::Mutex::default(),
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

/// Ends the connection when its run is fenced, even if there is nothing to write.
async fn displaced(session: Arc<Session>) -> Result<()> {
    let mut run = session.context.run.subscribe();
    // Cannot fail: the context owns the sender.
    let _ = run.wait_for(|now| *now != Some(session.run)).await;
    Err(IndexerError::UsedUp)
}

/// Runs the tasks until one fails, or all have ended because the mirror stops.
async fn hold(session: &Arc<Session>, socket: Socket) -> Result<()> {
    let mut tasks = JoinSet::new();
    let span = tracing::Span::current();
    tasks.spawn(ingest::ingest(Arc::clone(session), socket).instrument(span.clone()));
    tasks.spawn(write::write(Arc::clone(session)).instrument(span.clone()));
    let side = |task: std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send>>| {
        let session = Arc::clone(session);
        async move {
            tokio::select! {
                ended = task => ended,
                () = session.context.stopped() => Ok(()),
            }
        }
    };
    tasks.spawn(side(Box::pin(reading::read(Arc::clone(session)))).instrument(span.clone()));
    tasks.spawn(side(Box::pin(watch::follow_view(Arc::clone(session)))).instrument(span.clone()));
    tasks.spawn(side(Box::pin(probe::probe(Arc::clone(session)))).instrument(span.clone()));
    tasks.spawn(side(Box::pin(lag::lag(Arc::clone(session)))).instrument(span.clone()));
    tasks.spawn(side(Box::pin(displaced(Arc::clone(session)))).instrument(span.clone()));
    tasks.spawn(side(Box::pin(reorg::watch_roots(Arc::clone(session)))).instrument(span));
    while let Some(ended) = tasks.join_next().await {
        // A panic in a task ends the connection like an error.
        ended.unwrap_or(Err(IndexerError::UsedUp))?;
    }
    Ok(())
}
