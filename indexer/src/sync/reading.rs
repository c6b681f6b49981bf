//! Reads a snapshot of all accounts: at the start of a connection, at intervals, and after each gap
//! in the stream. A row that a snapshot corrects although the stream had no gap is drift, and is
//! reported.
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rand::Rng;
use serde_json::json;
use tokio::time::Instant;
use tracing::{Instrument, info_span};

use super::{
    session::Session,
    snapshot::{Joined, begin, is_fillable, merge},
};
use crate::{
    ops::health::Reason,
    source::error::{IndexerError, Result},
    sync::context::Origin,
};

/// How soon a failed reading is tried again.
const SNAPSHOT_RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// After a reading the pause is at least this many times its duration, however large the program
/// is.
const MIN_PAUSE_FACTOR: u32 = 20;
/// The same when a reading was requested.
const MIN_PAUSE_FACTOR_ASKED: u32 = 4;
/// How long the stream may take to reach the slot of a reading.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn read(session: Arc<Session>) -> Result<()> {
    let context = &session.context;
    let mut first = session.first.subscribe();
    let Ok(first) = first.wait_for(Option::is_some).await.map(|first| first.unwrap_or(0)) else {
        return Ok(());
    };
    loop {
        let gap = session.gaps.load(Ordering::Relaxed);
        let was_whole = session.is_whole();
        let began = Instant::now();
        let name = if session.is_joined() { "reconcile" } else { "snapshot" };
        let min_slot = first.max(context.floor()).max(session.written.borrow().root);
        let span = info_span!("snapshot", kind = name, min_slot);
        let joined = once(&session, min_slot).instrument(span).await;
        let took = began.elapsed();
        let usual = context.config.reconcile.mul_f64(rand::thread_rng().gen_range(0.9..=1.1));
        let soon = SNAPSHOT_RETRY_INTERVAL.min(context.config.reconcile);
        let pause = match joined {
            Ok(joined) => {
                context.metrics.snapshot(took);
                session.listed(&joined).await?;
                session.repair(gap, &joined);
                if joined.moves_view {
                    session.view_moved.notify_one();
                }
                session.report_drift(joined, was_whole).await;
                usual.max(took.saturating_mul(MIN_PAUSE_FACTOR))
            }
            Err(e) if session.is_recoverable(&e) => {
                // The stream still runs, so the mirror stays fresh; it only notices closed
                // accounts later.
                context.report(Origin::Connection, Some(e.to_string()));
                soon
            }
            Err(e) => return Err(e),
        };
        let asked =
            tokio::time::Instant::now() + took.saturating_mul(MIN_PAUSE_FACTOR_ASKED).min(pause);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = context.reread.notified() => tokio::time::sleep_until(asked).await,
        }
    }
}

/// One reading.
async fn once(session: &Session, min_slot: u64) -> Result<Joined> {
    let context = &session.context;
    session.write_buffer().note_arrivals();
    let mut hold = None;
    if !session.is_joined() {
        hold = Some(session.write_lock.lock().await);
        if !is_fillable(context).await? {
            hold = None;
        }
    }
    loop {
        let stream = begin(context, &session.rpc, min_slot).await?;
        session.check_slot_plausible(stream.slot()).await?;
        match merge(context, &session.rpc, stream, hold.is_some()).await {
            Err(IndexerError::NotFilled) if hold.is_some() => hold = None,
            done => return done,
        }
    }
}

impl Session {
    /// Whether the connection is kept after a reading failed with `e`.
    fn is_recoverable(&self, e: &IndexerError) -> bool {
        let other = match e {
            IndexerError::Rpc { .. } | IndexerError::Store(_) => false,
            // Another node may be ahead.
            IndexerError::Behind { .. } => !self.context.endpoints.others().is_empty(),
            _ => true,
        };
        self.is_joined() && e.is_transient() && !other
    }

    /// Records whether the node's list was complete.
    ///
    /// # Errors
    /// [`IndexerError::Truncated`] when it was not and there is a node that may list more.
    async fn listed(&self, joined: &Joined) -> Result<()> {
        let (context, short) = (&self.context, joined.left_out > 0);
        context.endpoints.listed(short);
        if !short {
            return Ok(());
        }
        let detail = json!({
            "node": self.rpc.shown(), "slot": joined.slot, "listed": joined.accounts,
            "left_out": joined.left_out,
        });
        context.note("SnapshotTruncated", detail).await;
        match joined.doubt(self.rpc.shown()) {
            Some(doubt) if context.endpoints.may_list_more() => Err(doubt),
            _ => Ok(()),
        }
    }

    /// Reports the rows that a reading corrected although the stream had no gap.
    async fn report_drift(&self, joined: Joined, was_whole: bool) {
        let mut drift = 0;
        if was_whole && joined.written > 0 {
            // Changes that were in flight during the reading arrive on the stream shortly after;
            // they are no drift.
            let mut written = self.written.subscribe();
            let newest = joined.slot.max(joined.asked);
            let caught_up = written.wait_for(|progress| progress.confirmed >= newest);
            let caught_up = tokio::time::timeout(CATCH_UP_TIMEOUT, caught_up).await.is_ok();
            let late = self.write_buffer().arrivals();
            if let Some(late) = late.filter(|_| caught_up) {
                drift = joined.written.saturating_sub(late);
            }
        }
        self.context.metrics.drift_rows(drift);
        // On a surfnet, accounts can be set by a cheat code, which sends no notification.
        let counts = drift > 0 && self.stamps_slots;
        self.context.reason(Reason::Drift, counts);
        if counts {
            self.context.note("Drift", json!({"slot": joined.slot, "rows": drift})).await;
        }
    }
}
