//! Reads finalised transactions again and again and appends their events to the audit log; only
//! while this process may write.
use std::sync::{Arc, atomic::Ordering};

use crate::{
    Result,
    audit::event::closes_an_account,
    backoff::Backoff,
    join::intake::Reach,
    link::{Link, Origin},
    source::history::{self, History},
};

/// Slots with transactions that are read and appended together.
const SLOTS: usize = 64;

pub(super) async fn watch(link: Arc<Link>) {
    // What is dropped halfway leaves nothing behind: every write is one transaction.
    tokio::select! {
        () = keep(&link) => {}
        () = link.done() => {}
    }
}

async fn keep(link: &Link) {
    let mut backoff = Backoff::default();
    let mut run = link.run.subscribe();
    loop {
        // A store of another cluster must not get this one's history.
        let _ = run.wait_for(Option::is_some).await;
        let wait = match read(link).await {
            Ok(_) => {
                link.report(Origin::History, None);
                backoff = Backoff::default();
                link.config.history
            }
            // The lease is gone; whether that is the end is decided elsewhere.
            Err(_) if link.run.borrow().is_none() => continue,
            Err(e) => {
                link.report(Origin::History, Some(e.to_string()));
                backoff.next(&mut rand::thread_rng()).max(link.config.history)
            }
        };
        link.pause(wait).await;
    }
}

/// Appends what became final since the last time; how many events.
pub(super) async fn read(link: &Link) -> Result<u64> {
    let (rpc, connection) = (link.rpc(), link.connection.load(Ordering::Relaxed));
    let upto = rpc.finalized_slot().await?;
    link.said(connection, Reach { confirmed: 0, root: upto });
    let run = link.run()?;
    let state = link.insist(|| link.store.state()).await?;
    let after = state.history_slot;
    link.metrics.audit_head(state.audit_seq);
    let mut history = History::between(&rpc, after, upto, state.audit_seq > 0).await?;
    let mut added = 0u64;
    while let Some(slots) = history.next(&rpc).await? {
        for part in slots.chunks(SLOTS) {
            let entries = history::events(&rpc, &link.config.program_id, part).await?;
            link.same_cluster(&rpc).await?;
            let mark = part.last().map_or(after, |h| h.slot);
            let closes = entries.iter().any(|e| closes_an_account(&e.payload));
            let n = link.insist(|| link.store.append_audit(&run, entries.clone(), mark)).await?;
            added = added.saturating_add(n);
            if closes {
                link.reread.notify_one();
            }
        }
    }
    if added > 0 {
        let state = link.insist(|| link.store.state()).await?;
        link.metrics.audit_head(state.audit_seq);
        link.revised(state.rev);
    }
    Ok(added)
}
