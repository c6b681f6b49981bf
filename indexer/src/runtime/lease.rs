//! The lease: begins a run, renews its lease in a separate task, releases it at the end. A run that
//! has lost the lease writes nothing more; the process stands by until the lease is free.
use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::info;

use crate::{
    ops::health::Reason,
    source::error::Result,
    store::{Marks, RENEW_INTERVAL, Run, StoreError},
    sync::context::{MirrorContext, Origin},
};

/// How often changed marks are written; standby processes read them.
const MARKS_INTERVAL: Duration = Duration::from_secs(1);
/// How long a release may take.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Begins a run on the store, for a node of the cluster `genesis`.
///
/// # Errors
/// The store's; [`StoreError::Leased`] while another process writes it, [`StoreError::Paused`]
/// while it takes no writes.
pub(super) async fn begin(context: &MirrorContext, genesis: &[u8; 32]) -> Result<Run> {
    let (program_id, owner) = (&context.config.program_id, &context.owner);
    // A paused store can still be read, so the caller stands by instead of waiting here.
    let begin = || async {
        match context.store.begin_run(program_id, genesis, owner).await {
            Err(paused @ StoreError::Paused { .. }) => Ok(Err(paused)),
            begun => begun.map(Ok),
        }
    };
    let run = context.retry_until_ok(begin).await??;
    // Already set only by an earlier run, to the same value.
    let _ = context.genesis.set(*genesis);
    context.revised(context.retry_until_ok(|| context.store.revision()).await?);
    context.begun(run);
    context.reason(Reason::Fenced, false);
    // The store takes writes, so an earlier store error is over.
    context.report(Origin::Store, None);
    info!(run = run.id, rpc = context.rpc().shown(), "the mirror may write");
    Ok(run)
}

/// Renews the lease while there is a run. Ends with the mirror.
pub(super) async fn renew_while_held(context: Arc<MirrorContext>) {
    let mut run = context.run.subscribe();
    let mut last: Option<(Run, Marks, Instant)> = None;
    loop {
        let current = tokio::select! {
            // Cannot fail: the context owns the sender.
            Ok(run) = run.wait_for(Option::is_some) => *run,
            () = context.ended() => return,
        };
        let Some(current) = current else { continue };
        let marks = context.marks();
        let due = match last {
            Some((run, kept, at)) => {
                run != current || kept != marks || at.elapsed() >= RENEW_INTERVAL
            }
            None => true,
        };
        if due && renew_once(&context, &current, marks).await {
            last = Some((current, marks, Instant::now()));
        }
        tokio::select! {
            () = tokio::time::sleep(MARKS_INTERVAL) => {}
            () = context.ended() => return,
        }
    }
}

/// Renews the lease of `run` once; returns whether that succeeded.
pub(super) async fn renew_once(context: &MirrorContext, run: &Run, marks: Marks) -> bool {
    match context.store.keep(run, marks).await {
        Ok(()) => {
            context.report(Origin::Lease, None);
            let now = std::time::Instant::now();
            context.health.send_modify(|h| h.store_has(marks.confirmed.unwrap_or(0), now));
            true
        }
        Err(e @ StoreError::Fenced { .. }) => {
            fence(context, run, &e);
            false
        }
        // A first load keeps the store busy and renews the lease itself.
        Err(_) if context.is_filling() => false,
        Err(e) => {
            context.metrics.db_retry();
            context.report(Origin::Lease, Some(e.to_string()));
            false
        }
    }
}

/// Gives `run` up, because another process has taken over or the right to write was withdrawn. That
/// ends its connection, and the process stands by.
pub(super) fn fence(context: &MirrorContext, run: &Run, why: &StoreError) {
    let mut ours = false;
    context.run.send_if_modified(|now| {
        ours = now.as_ref() == Some(run);
        if ours {
            *now = None;
        }
        ours
    });
    if ours {
        context.report(Origin::Connection, Some(why.to_string()));
        context.report(Origin::Lease, None);
        context.reason(Reason::Fenced, matches!(why, StoreError::Fenced { .. }));
    }
}

/// Writes the final marks and releases the lease.
pub(super) async fn give_back(context: &MirrorContext) {
    let Some(run) = context.run.send_replace(None) else { return };
    let marks = context.marks();
    let release = async {
        if let Err(e) = context.store.keep(&run, marks).await {
            info!("the last marks could not be written: {e}");
        }
        context.store.end_run(&run).await
    };
    match tokio::time::timeout(RELEASE_TIMEOUT, release).await {
        Ok(Ok(())) => {}
        Ok(Err(e)) => info!("the lease runs out by itself: {e}"),
        Err(_) => info!("the lease runs out by itself: the store does not answer"),
    }
}
