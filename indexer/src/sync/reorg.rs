//! Undoes writes of orphaned slots. For each new root, the slots up to it that are not in the
//! finalised chain are undone and all accounts are read again. Only then is the root the slot up to
//! which the mirror is final.
use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::json;
use tracing::warn;

use crate::{
    source::{
        error::{IndexerError, Result},
        fault::RpcFault,
    },
    store::Marks,
    sync::{context::Origin, session::Session},
};

/// Roots that arrive within this time are handled together.
const ROOT_DEBOUNCE_INTERVAL: Duration = Duration::from_millis(400);

/// Which of `slots` are not in the finalised chain, whose slots are `chain`.
#[must_use]
pub(crate) fn orphaned(slots: &[u64], chain: &[u64]) -> Vec<u64> {
    let chain: BTreeSet<u64> = chain.iter().copied().collect();
    slots.iter().copied().filter(|slot| !chain.contains(slot)).collect()
}

/// The node's answer about the slots up to a root.
enum RootCheck {
    /// These are not in the finalised chain.
    Orphaned(Vec<u64>),
    /// The node cannot answer; why.
    Unknown(&'static str),
    /// The node cannot answer yet; the next root is tried.
    Later,
}

/// Follows the roots that the stream is complete up to.
pub(crate) async fn watch_roots(session: Arc<Session>) -> Result<()> {
    let context = &session.context;
    let mut written = session.written.subscribe();
    let (mut done, mut is_reported) = (0, false);
    loop {
        if written.changed().await.is_err() {
            return Ok(());
        }
        let root = written.borrow_and_update().root;
        if root <= done || !session.is_whole() {
            continue;
        }
        if undo_orphaned_up_to(&session, root, &mut is_reported).await? {
            done = root;
            context.mark(Marks { frontier: Some(root), root: Some(root), ..Marks::default() });
        }
        tokio::time::sleep(ROOT_DEBOUNCE_INTERVAL).await;
    }
}

/// Undoes the slots up to `root` that did not become final. True when the mirror is final up to
/// `root`.
async fn undo_orphaned_up_to(session: &Session, root: u64, is_reported: &mut bool) -> Result<bool> {
    let context = &session.context;
    let slots = context.retry_until_ok(|| context.store.undo_slots(root)).await?;
    let snapshots = session.snapshots_upto(root);
    if slots.is_empty() && snapshots.is_empty() {
        return Ok(true);
    }
    match find_orphaned(session, &slots, &snapshots, root).await? {
        RootCheck::Later => Ok(false),
        RootCheck::Unknown(why) => {
            if !std::mem::replace(is_reported, true) {
                warn!(root, "slots that did not become final cannot be told: {why}");
                context.note("ForksUnknown", json!({"root": root, "why": why})).await;
            }
            session.forget_snapshots(root);
            Ok(true)
        }
        RootCheck::Orphaned(orphans) => {
            context.report(Origin::Reorg, None);
            if orphans.is_empty() {
                session.forget_snapshots(root);
                return Ok(true);
            }
            undo_orphaned(session, &slots, &snapshots, &orphans, root).await?;
            Ok(false)
        }
    }
}

async fn find_orphaned(
    session: &Session,
    slots: &[u64],
    snapshots: &[u64],
    root: u64,
) -> Result<RootCheck> {
    if !session.stamps_slots {
        return Ok(RootCheck::Unknown("a surfnet has no forks"));
    }
    let first = slots.iter().chain(snapshots).copied().min().unwrap_or(root);
    match session.rpc.blocks(first, root).await {
        Ok(Some(chain)) => {
            let mut both = [slots, snapshots].concat();
            both.sort_unstable();
            both.dedup();
            Ok(RootCheck::Orphaned(orphaned(&both, &chain)))
        }
        Ok(None) => Ok(RootCheck::Unknown("the node does not offer getBlocks")),
        Err(IndexerError::Rpc { fault: RpcFault::LongTermMissing, .. }) => {
            // Too long ago for this node: only a new reading makes the mirror right.
            session.gap();
            Ok(RootCheck::Unknown(
                "the node no longer has these blocks; all accounts are read again",
            ))
        }
        // The next root will cover these slots.
        Err(IndexerError::Behind { .. }) => Ok(RootCheck::Later),
        Err(e) if e.is_transient() => {
            session.context.report(Origin::Reorg, Some(e.to_string()));
            Ok(RootCheck::Later)
        }
        Err(e) => Err(e),
    }
}

async fn undo_orphaned(
    session: &Session,
    slots: &[u64],
    snapshots: &[u64],
    orphans: &[u64],
    root: u64,
) -> Result<()> {
    let context = &session.context;
    // The mirror is incomplete until all accounts were read again.
    session.gap();
    let of_stream: Vec<u64> = orphans.iter().copied().filter(|s| slots.contains(s)).collect();
    let of_snapshots: Vec<u64> =
        orphans.iter().copied().filter(|s| snapshots.contains(s)).collect();
    let run = context.run()?;
    let undone = context.retry_until_ok(|| context.store.undo(&run, &of_stream)).await?;
    context.metrics.undo_restored(undone.restored.saturating_add(undone.removed));
    context.revised(undone.rev);
    session.forget_snapshots(root);
    warn!(root, slots = ?of_stream, snapshots = ?of_snapshots, "slots did not become final");
    let detail = json!({
        "root": root,
        "slots": of_stream,
        "snapshots": of_snapshots,
        "restored": undone.restored,
        "removed": undone.removed,
    });
    context.note("SlotsOrphaned", detail).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::orphaned;

    #[test]
    fn only_slots_missing_from_the_finalised_chain_are_orphaned() {
        assert_eq!(orphaned(&[10, 11, 13], &[9, 11, 12]), [10, 13]);
        assert!(orphaned(&[], &[9]).is_empty() && orphaned(&[9], &[8, 9]).is_empty());
    }
}
