//! Reads all accounts: first thing on a connection, then now and then, and whenever something may be
//! missing. What such a reading finds wrong without a gap to explain it is drift, and told.
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rand::Rng;
use serde_json::json;
use tokio::time::Instant;
use tracing::{Instrument, info_span};

use super::{
    RECHECK, Session,
    snapshot::{Joined, begin, is_fillable, merge},
};
use crate::{
    ops::health::Reason,
    source::error::{IndexerError, Result},
    sync::context::Origin,
};

/// A reading takes this part of the time at most, however large the program is.
const SHARE: u32 = 20;
/// The same where somebody asks for a reading.
const SHARE_ASKED: u32 = 4;
/// How long the stream may take to tell of what a reading has found.
const CATCH_UP: Duration = Duration::from_secs(10);

pub(super) async fn read(session: Arc<Session>) -> Result<()> {
    let link = &session.link;
    let mut first = session.first.subscribe();
    let Ok(first) = first.wait_for(Option::is_some).await.map(|first| first.unwrap_or(0)) else {
        return Ok(());
    };
    loop {
        let gap = session.gaps.load(Ordering::Relaxed);
        let was_whole = session.is_whole();
        let began = Instant::now();
        let name = if session.is_joined() { "reconcile" } else { "snapshot" };
        let min_slot = first.max(link.floor()).max(session.written.borrow().root);
        let span = info_span!("snapshot", kind = name, min_slot);
        let joined = once(&session, min_slot).instrument(span).await;
        let took = began.elapsed();
        let usual = link.config.reconcile.mul_f64(rand::thread_rng().gen_range(0.9..=1.1));
        let soon = RECHECK.min(link.config.reconcile);
        let pause = match joined {
            Ok(joined) => {
                link.metrics.snapshot(took);
                session.listed(&joined).await?;
                session.repair(gap, &joined);
                if joined.moves_view {
                    session.view_moved.notify_one();
                }
                session.judge(joined, was_whole).await;
                usual.max(took.saturating_mul(SHARE))
            }
            Err(e) if session.endures(&e) => {
                // The stream still flows: the mirror is fresh, only closes go unnoticed for longer.
                link.report(Origin::Connection, Some(e.to_string()));
                soon
            }
            Err(e) => return Err(e),
        };
        let asked = tokio::time::Instant::now() + took.saturating_mul(SHARE_ASKED).min(pause);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = link.reread.notified() => tokio::time::sleep_until(asked).await,
        }
    }
}

/// One reading.
async fn once(session: &Session, min_slot: u64) -> Result<Joined> {
    let link = &session.link;
    session.intake().note_arrivals();
    let mut hold = None;
    if !session.is_joined() {
        hold = Some(session.turn.lock().await);
        if !is_fillable(link).await? {
            hold = None;
        }
    }
    loop {
        let stream = begin(link, &session.rpc, min_slot).await?;
        session.believe(stream.slot()).await?;
        match merge(link, &session.rpc, stream, hold.is_some()).await {
            Err(IndexerError::NotFilled) if hold.is_some() => hold = None,
            done => return done,
        }
    }
}

impl Session {
    /// Whether the connection is worth keeping after a reading failed with `e`.
    fn endures(&self, e: &IndexerError) -> bool {
        let other = match e {
            IndexerError::Rpc { .. } | IndexerError::Store(_) => false,
            // Another node may be further.
            IndexerError::Behind { .. } => !self.link.endpoints.others().is_empty(),
            _ => true,
        };
        self.is_joined() && e.is_transient() && !other
    }

    /// Notes whether the node's list was complete.
    ///
    /// # Errors
    /// [`IndexerError::Truncated`] when it was not and there is a node that may list more.
    async fn listed(&self, joined: &Joined) -> Result<()> {
        let (link, short) = (&self.link, joined.left_out > 0);
        link.endpoints.listed(short);
        if !short {
            return Ok(());
        }
        let detail = json!({
            "node": self.rpc.shown(), "slot": joined.slot, "listed": joined.accounts,
            "left_out": joined.left_out,
        });
        link.note("SnapshotTruncated", detail).await;
        match joined.doubt(self.rpc.shown()) {
            Some(doubt) if link.endpoints.may_list_more() => Err(doubt),
            _ => Ok(()),
        }
    }

    /// Tells of what a reading had to write although nothing was missing.
    async fn judge(&self, joined: Joined, was_whole: bool) {
        let mut drift = 0;
        if was_whole && joined.written > 0 {
            // What was on its way when the reading was taken is told by the stream before long.
            let mut written = self.written.subscribe();
            let newest = joined.slot.max(joined.asked);
            let caught_up = written.wait_for(|reach| reach.confirmed >= newest);
            let caught_up = tokio::time::timeout(CATCH_UP, caught_up).await.is_ok();
            let late = self.intake().arrivals();
            if let Some(late) = late.filter(|_| caught_up) {
                drift = joined.written.saturating_sub(late);
            }
        }
        self.link.metrics.drift_rows(drift);
        // A surfnet's accounts can be set by hand, which nobody is told of.
        let counts = drift > 0 && self.stamps_slots;
        self.link.reason(Reason::Drift, counts);
        if counts {
            self.link.note("Drift", json!({"slot": joined.slot, "rows": drift})).await;
        }
    }
}
