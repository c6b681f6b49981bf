//! Polls finalised transactions and appends their events to the audit log, while this process holds the
//! lease.
use std::sync::{Arc, atomic::Ordering};

use serde_json::json;

use crate::{
    audit::{self},
    source::{
        backoff::Backoff,
        error::{IndexerError, Result},
        history::{self, History, SlotHistory},
        rpc::Rpc,
    },
    store::{Run, audit_log::event::closes_an_account},
    sync::{
        context::{MirrorContext, Origin},
        write_buffer::StreamProgress,
    },
};

/// Slots whose events are appended in one transaction.
const MAX_SLOTS_PER_APPEND: usize = 64;

pub(super) async fn watch(context: Arc<MirrorContext>) {
    // Safe to drop at any await: every write is one transaction.
    tokio::select! {
        () = poll(&context) => {}
        () = context.done() => {}
    }
}

async fn poll(context: &MirrorContext) {
    let mut backoff = Backoff::default();
    let mut run = context.run.subscribe();
    loop {
        // A run exists only after the clusters were compared, so no foreign history gets in.
        let _ = run.wait_for(Option::is_some).await;
        let wait = match read(context).await {
            Ok(_) => {
                context.report(Origin::History, None);
                backoff = Backoff::default();
                context.config.history
            }
            // The lease is lost; the connection task decides what follows.
            Err(_) if context.run.borrow().is_none() => continue,
            Err(e) => {
                context.report(Origin::History, Some(e.to_string()));
                backoff.next(&mut rand::thread_rng()).max(context.config.history)
            }
        };
        context.pause(wait).await;
    }
}

/// Appends the events finalised since the last call; returns how many. An error that stops the log is
/// noted in the store, so that later readers learn that the log is incomplete, and why.
pub(super) async fn read(context: &MirrorContext) -> Result<u64> {
    let done = append_new(context).await;
    match &done {
        Err(e) if e.stops_history() => note(context, Some(e)).await,
        Err(_) => {}
        Ok(_) => note(context, None).await,
    }
    done
}

/// Notes that `trouble` stops the log, or that it goes on; only when that changed.
async fn note(context: &MirrorContext, trouble: Option<&IndexerError>) {
    let trouble = trouble.map(ToString::to_string);
    let mut noted = context.history_note.lock().await;
    let known = match &*noted {
        Some(known) => known.clone(),
        None => match audit::trouble(&*context.store).await {
            Ok(known) => known,
            // The next reading tries again.
            Err(_) => return,
        },
    };
    match &trouble {
        _ if known == trouble => {}
        Some(error) => context.note(audit::STOPPED, json!({ "error": error })).await,
        None => context.note(audit::GOES_ON, json!({})).await,
    }
    *noted = Some(trouble);
}

async fn append_new(context: &MirrorContext) -> Result<u64> {
    let (rpc, connection) = (context.rpc(), context.connection.load(Ordering::Relaxed));
    let upto = rpc.finalized_slot().await?;
    context.node_progress(connection, StreamProgress { confirmed: 0, root: upto });
    let run = context.run()?;
    let state = context.retry_until_ok(|| context.store.state()).await?;
    let after = state.history_slot;
    context.metrics.audit_head(state.audit_seq);
    let mut history = History::between(&rpc, after, upto, state.audit_seq > 0).await?;
    let mut added = 0u64;
    while let Some(slots) = history.next(&rpc).await? {
        for part in slots.chunks(MAX_SLOTS_PER_APPEND) {
            let appended = append(context, &rpc, &run, part).await;
            added = added.saturating_add(match appended {
                // One slot stops the log. Appends the slots before it one by one.
                Err(e) if e.stops_history() && part.len() > 1 => {
                    let mut before = 0u64;
                    for slot in part.chunks(1) {
                        before = before.saturating_add(append(context, &rpc, &run, slot).await?);
                    }
                    before
                }
                appended => appended?,
            });
        }
    }
    if added > 0 {
        let state = context.retry_until_ok(|| context.store.state()).await?;
        context.metrics.audit_head(state.audit_seq);
        context.revised(state.rev);
    }
    Ok(added)
}

/// Appends the events of `part`, which must hold all transactions of its slots; returns how many were
/// new.
async fn append(
    context: &MirrorContext,
    rpc: &Rpc,
    run: &Run,
    part: &[SlotHistory],
) -> Result<u64> {
    let Some(mark) = part.last().map(|h| h.slot) else { return Ok(0) };
    let entries = history::events(rpc, &context.config.program_id, part).await?;
    context.same_cluster(rpc).await?;
    let closes = entries.iter().any(|e| closes_an_account(&e.payload));
    let n =
        context.retry_until_ok(|| context.store.append_audit(run, entries.clone(), mark)).await?;
    if closes {
        context.reread.notify_one();
    }
    Ok(n)
}
