//! Writes the write buffer to the store, one batch at a time. Changes that arrive during a write go into
//! the next batch.
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    session::Session,
    write_buffer::{StreamProgress, moves_view},
};
use crate::{ops::metrics::Source, source::error::Result, store::Batch};

/// Most accounts of one transaction.
const MAX_ROWS_PER_WRITE: usize = 5_000;
/// This many waiting accounts are written at once, without waiting for the interval.
const WRITE_AT_ONCE_ROWS: usize = 1_000;
/// Time between two transactions while little arrives.
const WRITE_INTERVAL: Duration = Duration::from_millis(20);

pub(super) async fn write(session: Arc<Session>) -> Result<()> {
    let mut free_at = Instant::now();
    loop {
        let last = session.fed.load(Ordering::Relaxed);
        while !last && session.write_buffer().len() < WRITE_AT_ONCE_ROWS && Instant::now() < free_at
        {
            tokio::select! {
                () = tokio::time::sleep_until(free_at) => {}
                () = session.arrived.notified() => {}
            }
        }
        if last && !session.is_joined() {
            // Without a snapshot nothing is complete yet, and an empty store allows a bulk load later.
            return Ok(());
        }
        let lock = session.write_lock.lock().await;
        while write_next(&session, if last { 1 } else { WRITE_AT_ONCE_ROWS }).await? {}
        drop(lock);
        if last {
            return Ok(());
        }
        free_at = Instant::now() + WRITE_INTERVAL;
        // The notification of the last message may have been consumed above.
        if !session.fed.load(Ordering::Relaxed) {
            session.arrived.notified().await;
        }
    }
}

/// Writes one batch; returns whether to write another at once: when this one was only a part, or
/// `enough` accounts wait.
async fn write_next(session: &Session, enough: usize) -> Result<bool> {
    let (batch, progress) = session.write_buffer().next(MAX_ROWS_PER_WRITE);
    let nothing = batch == Batch::default();
    if !nothing {
        let moved = moves_view(&batch);
        session.context.apply(batch, Source::Stream).await?;
        if moved {
            session.view_moved.notify_one();
        }
    }
    if progress != StreamProgress::default() {
        session.reached(progress);
    }
    let write_buffer = session.write_buffer();
    Ok(write_buffer.is_parted() || write_buffer.len() >= enough)
}
