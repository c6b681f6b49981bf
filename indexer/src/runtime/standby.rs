//! Standby: another process holds the lease, or the store takes no writes. This process reads the
//! store, reports the writer's progress as its own health, and takes over when the lease is free and
//! the store takes writes.
use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    ops::health::{Conn, Reason},
    source::error::{IndexerError, Result},
    store::{Lease, MirrorState, StoreError},
    sync::context::{MirrorContext, Origin},
};

/// How often the store's state is read.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How often a write to a paused store is tried again.
const PAUSED_RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// The screens show this as the writer's name when no process holds the lease.
pub(crate) const NOBODY: &str = "nobody";

/// The writer to stand by for, and when to take over.
pub(crate) struct Standby {
    writer: String,
    takes_over: TakesOver,
}

/// When this process may write.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TakesOver {
    /// Never: this user may only read.
    Never,
    /// As soon as the lease is free.
    WhenFree,
    /// As soon as the lease is free and the store takes writes; holds the store's error text.
    WhenWritable(String),
}

impl Standby {
    /// How to stand by after a start failed with `error`; [`None`] when that is no reason to.
    pub(crate) async fn of(context: &MirrorContext, error: &IndexerError) -> Option<Self> {
        match error {
            IndexerError::Store(StoreError::Leased { owner, .. }) => {
                Some(Self { writer: owner.clone(), takes_over: TakesOver::WhenFree })
            }
            IndexerError::Store(StoreError::ReadOnly { .. }) => {
                Some(Self { writer: NOBODY.to_owned(), takes_over: TakesOver::Never })
            }
            IndexerError::Store(e @ StoreError::Paused { .. }) => {
                let takes_over = TakesOver::WhenWritable(e.to_string());
                Some(Self { writer: NOBODY.to_owned(), takes_over })
            }
            // This process's node is down, but the writer may use another one.
            IndexerError::Rpc { .. } if context.run.borrow().is_none() => {
                let state = context.store.state().await.ok()?;
                let ours = state.program_id == Some(context.config.program_id);
                let lease = state.lease.filter(|lease| ours && !lease.left.is_zero())?;
                let reads = context.store.read_only();
                let takes_over = if reads { TakesOver::Never } else { TakesOver::WhenFree };
                Some(Self { writer: lease.owner, takes_over })
            }
            _ => None,
        }
    }
}

/// Detects renewals of the lease between two reads of the store.
#[derive(Debug)]
struct LeaseMonitor {
    seen: Option<(Lease, Instant)>,
}

impl LeaseMonitor {
    /// Whether the lease was renewed since the last call.
    fn is_renewed(&mut self, lease: Option<&Lease>, now: Instant) -> bool {
        let before = self.seen.take();
        self.seen = lease.map(|lease| (lease.clone(), now));
        match (before, lease) {
            (Some((old, at)), Some(new)) => {
                let expected = old.left.saturating_sub(now.saturating_duration_since(at));
                // The poll interval is the tolerance for the difference of the two clocks.
                old.owner != new.owner || new.left > expected + POLL_INTERVAL
            }
            (None, Some(new)) => !new.left.is_zero(),
            (_, None) => false,
        }
    }
}

/// Stands by until this process may take over, or may try to.
///
/// # Errors
/// When the store is of another cluster than the node, or cannot be used.
pub(crate) async fn stand_by(context: &MirrorContext, followed: Standby) -> Result<()> {
    let Standby { mut writer, takes_over } = followed;
    let mut lease_monitor = LeaseMonitor { seen: None };
    let began = Instant::now();
    // This process neither writes nor reads a node now, so its earlier errors are over.
    for origin in
        [Origin::Connection, Origin::Lease, Origin::Snapshot, Origin::Reorg, Origin::History]
    {
        context.report(origin, None);
    }
    context.health.send_modify(|h| {
        for reason in [Reason::GapFill, Reason::SocketSilent, Reason::Drift] {
            h.set(reason, false);
        }
    });
    check_cluster(context).await?;
    loop {
        match context.store.state().await {
            Ok(state) => {
                let lease = state.lease.as_ref().filter(|lease| !lease.left.is_zero());
                let first = lease_monitor.seen.is_none();
                let is_renewed = lease_monitor.is_renewed(lease, Instant::now());
                let before = writer.clone();
                writer = lease.map_or_else(|| NOBODY.to_owned(), |lease| lease.owner.clone());
                let mut trouble = None;
                match &takes_over {
                    TakesOver::WhenFree if lease.is_none() => {
                        context.note("TakenOver", json!({"from": before})).await;
                        return Ok(());
                    }
                    TakesOver::WhenWritable(why) if lease.is_none() => {
                        if began.elapsed() >= PAUSED_RETRY_INTERVAL {
                            return Ok(());
                        }
                        trouble = Some(why.clone());
                    }
                    _ => {}
                }
                context.report(Origin::Store, trouble);
                if is_renewed && !first {
                    // Having been fenced by a live writer is no fault any more.
                    context.reason(Reason::Fenced, false);
                }
                show(context, &state, &writer, is_renewed);
            }
            Err(e) if e.is_transient() => context.report(Origin::Store, Some(e.to_string())),
            Err(e) => return Err(e.into()),
        }
        context.pause(POLL_INTERVAL).await;
        if context.is_stopping() {
            return Ok(());
        }
    }
}

/// Compares the clusters of store and node, if both answer.
async fn check_cluster(context: &MirrorContext) -> Result<()> {
    let Ok(state) = context.store.state().await else { return Ok(()) };
    let Some(genesis) = state.genesis_hash else { return Ok(()) };
    // Already set only by an earlier call, to the same value.
    let _ = context.genesis.set(genesis);
    match context.same_cluster(&context.rpc()).await {
        Err(e @ IndexerError::ClusterChanged { .. }) => Err(e),
        _ => Ok(()),
    }
}

/// Sets health from the writer's marks.
fn show(context: &MirrorContext, state: &MirrorState, writer: &str, is_renewed: bool) {
    context.revised(state.rev);
    let behind = context.config.behind;
    context.health.send_if_modified(|h| {
        let before = h.clone();
        h.conn = Conn::Following { writer: writer.to_owned() };
        (h.root, h.frontier) = (state.root_slot, state.frontier_slot);
        h.confirmed = state.confirmed_slot;
        h.saw_in_store(state.confirmed_slot, Instant::now());
        h.snapshot = Some(state.snapshot_slot).filter(|slot| *slot > 0);
        if is_renewed {
            h.last_frame = Some(Instant::now());
        }
        h.set(Reason::Startup, state.snapshot_slot == 0);
        let lags = h.lag() > behind;
        h.set(Reason::NodeBehind, lags);
        *h != before
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(left: u64) -> Lease {
        Lease { owner: "a".to_owned(), left: Duration::from_millis(left) }
    }

    #[test]
    fn only_a_longer_lease_counts_as_renewed() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut lease_monitor = LeaseMonitor { seen: None };
        assert!(lease_monitor.is_renewed(Some(&lease(9_000)), at(0)));
        assert!(!lease_monitor.is_renewed(Some(&lease(8_750)), at(250)));
        assert!(!lease_monitor.is_renewed(Some(&lease(8_520)), at(500)));
        assert!(lease_monitor.is_renewed(Some(&lease(10_000)), at(750)), "renewed");
        assert!(!lease_monitor.is_renewed(Some(&lease(9_750)), at(1_000)));
        assert!(!lease_monitor.is_renewed(None, at(1_250)));
    }
}
