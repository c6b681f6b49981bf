//! Writes what was taken in: as soon as the store is free, and what has come meanwhile together.
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{Session, write_buffer::Reach};
use crate::{account::Kind, ops::metrics::Source, source::error::Result, store::Batch};

/// Most accounts of one transaction.
const ROWS: usize = 5_000;
/// So many are written at once, whenever that is.
const ENOUGH: usize = 1_000;
/// Time between two transactions while little arrives.
const LINGER: Duration = Duration::from_millis(20);

pub(super) async fn write(session: Arc<Session>) -> Result<()> {
    let mut free_at = Instant::now();
    loop {
        let last = session.fed.load(Ordering::Relaxed);
        while !last && session.intake().len() < ENOUGH && Instant::now() < free_at {
            tokio::select! {
                () = tokio::time::sleep_until(free_at) => {}
                () = session.arrived.notified() => {}
            }
        }
        if last && !session.is_joined() {
            // Nothing is complete yet, and a store that is still empty is filled faster.
            return Ok(());
        }
        let turn = session.turn.lock().await;
        while write_next(&session, if last { 1 } else { ENOUGH }).await? {}
        drop(turn);
        if last {
            return Ok(());
        }
        free_at = Instant::now() + LINGER;
        // What was said while there was more to do may have been heard above.
        if !session.fed.load(Ordering::Relaxed) {
            session.arrived.notified().await;
        }
    }
}

/// Writes one batch; whether another is to follow at once: when the last one was only a part, or
/// `enough` wait.
async fn write_next(session: &Session, enough: usize) -> Result<bool> {
    let (batch, reach) = session.intake().next(ROWS);
    let nothing = batch == Batch::default();
    if !nothing {
        let moved = moves_view(&batch);
        session.link.apply(batch, Source::Stream).await?;
        if moved {
            session.view_moved.notify_one();
        }
    }
    if reach != Reach::default() {
        session.reached(reach);
    }
    let intake = session.intake();
    Ok(intake.is_parted() || intake.len() >= enough)
}

/// Whether `batch` can change which accounts are watched.
pub(super) fn moves_view(batch: &Batch) -> bool {
    let watched = |kind| matches!(kind, Kind::Program | Kind::Proposal | Kind::Governance);
    !batch.closes.is_empty() || batch.updates.iter().any(|u| watched(u.facets.kind))
}
