//! The right to write: taken at the start, renewed whatever else happens, and given back at the end.
//! A run that has lost it writes nothing more; the process stands by and takes it again when it is free.
use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::info;

use crate::{
    ops::health::Reason,
    source::error::Result,
    store::{Marks, RENEW, Run, StoreError},
    sync::context::{Link, Origin},
};

/// How often the marks are written while they move; other processes read them.
const BEAT: Duration = Duration::from_secs(1);
/// How long giving back may take.
const FAREWELL: Duration = Duration::from_secs(3);

/// Begins a run on the store, for a node of the cluster `genesis`.
///
/// # Errors
/// The store's; [`StoreError::Leased`] while another process writes it, [`StoreError::Paused`] while
/// it takes no writes.
pub(super) async fn begin(link: &Link, genesis: &[u8; 32]) -> Result<Run> {
    let (program_id, owner) = (&link.config.program_id, &link.owner);
    // A store that can be read is followed meanwhile: that is not waited out here.
    let begin = || async {
        match link.store.begin_run(program_id, genesis, owner).await {
            Err(paused @ StoreError::Paused { .. }) => Ok(Err(paused)),
            begun => begun.map(Ok),
        }
    };
    let run = link.insist(begin).await??;
    // Set twice only by a second begin with the same value.
    let _ = link.genesis.set(*genesis);
    link.revised(link.insist(|| link.store.revision()).await?);
    link.begun(run);
    link.reason(Reason::Fenced, false);
    // Whatever kept the store from being written is over.
    link.report(Origin::Store, None);
    info!(run = run.id, rpc = link.rpc().shown(), "the mirror may write");
    Ok(run)
}

/// Renews the lease for as long as there is one. Ends when the mirror has ended.
pub(super) async fn keep(link: Arc<Link>) {
    let mut run = link.run.subscribe();
    let mut last: Option<(Run, Marks, Instant)> = None;
    loop {
        let current = tokio::select! {
            // The sender is a part of the link.
            Ok(run) = run.wait_for(Option::is_some) => *run,
            () = link.ended() => return,
        };
        let Some(current) = current else { continue };
        let marks = link.marks();
        let due = match last {
            Some((run, kept, at)) => run != current || kept != marks || at.elapsed() >= RENEW,
            None => true,
        };
        if due && keep_once(&link, &current, marks).await {
            last = Some((current, marks, Instant::now()));
        }
        tokio::select! {
            () = tokio::time::sleep(BEAT) => {}
            () = link.ended() => return,
        }
    }
}

/// Renews the lease of `run` once; whether that was done.
pub(super) async fn keep_once(link: &Link, run: &Run, marks: Marks) -> bool {
    match link.store.keep(run, marks).await {
        Ok(()) => {
            link.report(Origin::Lease, None);
            let now = std::time::Instant::now();
            link.health.send_modify(|h| h.store_has(marks.confirmed.unwrap_or(0), now));
            true
        }
        Err(e @ StoreError::Fenced { .. }) => {
            fence(link, run, &e);
            false
        }
        // A store that is being filled does nothing else meanwhile.
        Err(_) if link.is_filling() => false,
        Err(e) => {
            link.metrics.db_retry();
            link.report(Origin::Lease, Some(e.to_string()));
            false
        }
    }
}

/// `run` may not write any more, because another process has taken over or the right was withdrawn.
/// Its connection ends by that; the process stands by.
pub(super) fn fence(link: &Link, run: &Run, why: &StoreError) {
    let mut ours = false;
    link.run.send_if_modified(|now| {
        ours = now.as_ref() == Some(run);
        if ours {
            *now = None;
        }
        ours
    });
    if ours {
        link.report(Origin::Connection, Some(why.to_string()));
        link.report(Origin::Lease, None);
        link.reason(Reason::Fenced, matches!(why, StoreError::Fenced { .. }));
    }
}

/// Writes the marks for the last time and gives the lease back.
pub(super) async fn give_back(link: &Link) {
    let Some(run) = link.run.send_replace(None) else { return };
    let marks = link.marks();
    let farewell = async {
        if let Err(e) = link.store.keep(&run, marks).await {
            info!("the last marks could not be written: {e}");
        }
        link.store.end_run(&run).await
    };
    match tokio::time::timeout(FAREWELL, farewell).await {
        Ok(Ok(())) => {}
        Ok(Err(e)) => info!("the lease runs out by itself: {e}"),
        Err(_) => info!("the lease runs out by itself: the store does not answer"),
    }
}
