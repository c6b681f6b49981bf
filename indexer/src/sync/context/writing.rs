//! Writes to the store, with retries while it does not answer.
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;
use tracing::warn;

use super::{MirrorContext, Origin};
use crate::{
    account::Quarantined,
    ops::metrics::Source,
    source::{backoff::Backoff, error::Result},
    store::{Applied, Batch, Closing, PubkeySet, StoreError},
};

/// Longest wait between two attempts.
const MAX_STORE_PAUSE: Duration = Duration::from_secs(5);

impl MirrorContext {
    /// Repeats `call` until the store answers or the mirror stops. There is no time limit: if the store
    /// stays down, the write buffer overflows and that ends the connection.
    pub(crate) async fn retry_until_ok<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut backoff = Backoff::with_cap(MAX_STORE_PAUSE);
        loop {
            match call().await {
                Err(e) if e.is_transient() && !self.is_stopping() => {
                    self.store_down.store(true, Ordering::Relaxed);
                    self.metrics.db_retry();
                    self.report(Origin::Store, Some(e.to_string()));
                    let wait = backoff.next(&mut rand::thread_rng());
                    self.pause(wait).await;
                }
                done => {
                    if done.is_ok() && self.store_down.swap(false, Ordering::Relaxed) {
                        self.report(Origin::Store, None);
                    }
                    return done.map_err(Into::into);
                }
            }
        }
    }

    /// Writes `batch`, which came from `source`.
    pub(crate) async fn apply(&self, mut batch: Batch, source: Source) -> Result<Applied> {
        if let Some(bad) = batch.quarantined.first() {
            self.report(Origin::Quarantine, Some(bad.error.clone()));
            self.metrics.decode_errors(u64::try_from(batch.quarantined.len()).unwrap_or(u64::MAX));
        }
        let run = self.run()?;
        batch.frontier = self.marks().frontier;
        let rows = [batch.updates.len(), batch.closes.len(), batch.quarantined.len()];
        let rows = rows.into_iter().fold(0, usize::saturating_add);
        let began = Instant::now();
        let applied = self.retry_until_ok(|| self.store.apply(&run, batch.clone())).await?;
        self.metrics.batch(rows, began.elapsed());
        self.metrics.applied(applied.written.saturating_add(applied.closed));
        self.metrics.stale(applied.stale.saturating_add(applied.unchanged));
        tracing::debug!(?source, rows, written = applied.written, "batch");
        self.revised(applied.rev);
        Ok(applied)
    }

    /// Ends a complete snapshot, see [`crate::store::MirrorStore::tombstone_missing`].
    pub(crate) async fn tombstone(
        &self,
        slot: u64,
        (present, gone): (&Arc<PubkeySet>, &Arc<PubkeySet>),
    ) -> Result<Closing> {
        let run = self.run()?;
        let close =
            || self.store.tombstone_missing(&run, slot, Arc::clone(present), Arc::clone(gone));
        let done = self.retry_until_ok(close).await?;
        if matches!(done, Closing::Unproved(_)) {
            return Ok(done);
        }
        self.reviewed().await?;
        Ok(done)
    }

    /// Updates the quarantine report and the revision after a reading was written.
    pub(crate) async fn reviewed(&self) -> Result<()> {
        let bad = self.retry_until_ok(|| self.store.quarantined()).await?;
        self.report(Origin::Quarantine, set_aside(&bad));
        self.revised(self.retry_until_ok(|| self.store.revision()).await?);
        Ok(())
    }

    /// Writes a note for the operator; a failure is only logged.
    pub(crate) async fn note(&self, kind: &str, detail: Value) {
        if let Err(e) = self.store.log_op(kind, &detail).await {
            warn!(kind, "a note could not be kept: {e}");
        }
    }

    pub(crate) fn revised(&self, rev: u64) {
        self.revision.send_if_modified(|r| std::mem::replace(r, rev) != rev);
    }
}

/// A sentence about the quarantined accounts: the first error, and how many more.
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
