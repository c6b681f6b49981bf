//! Another process writes the store, or nobody can at the moment: this one reads what is there, says how
//! it goes, and takes over when the other one has ended or the store takes writes again.
use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    ops::health::{Conn, Reason},
    source::error::{IndexerError, Result},
    store::{Lease, MirrorState, StoreError},
    sync::context::{Link, Origin},
};

/// How often the store is asked.
const EVERY: Duration = Duration::from_millis(250);
/// How often a store that takes no writes is tried again.
const PAUSED_RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// The name of a writer where there is none.
pub(crate) const NOBODY: &str = "nobody";

/// Whom this process follows.
pub(crate) struct Followed {
    writer: String,
    takes_over: TakesOver,
}

/// When this process may write.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TakesOver {
    /// Never: this user only reads.
    Never,
    /// As soon as no lease runs.
    WhenFree,
    /// As soon as no lease runs and the store takes writes again; the store's words.
    WhenWritable(String),
}

impl Followed {
    /// Whom to follow after a start failed with `error`; `None` when that is no reason to.
    pub(crate) async fn of(link: &Link, error: &IndexerError) -> Option<Self> {
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
            // The node does not answer; whoever writes may have another one.
            IndexerError::Rpc { .. } if link.run.borrow().is_none() => {
                let state = link.store.state().await.ok()?;
                let ours = state.program_id == Some(link.config.program_id);
                let lease = state.lease.filter(|lease| ours && !lease.left.is_zero())?;
                let reads = link.store.read_only();
                let takes_over = if reads { TakesOver::Never } else { TakesOver::WhenFree };
                Some(Self { writer: lease.owner, takes_over })
            }
            _ => None,
        }
    }
}

/// Reads the other's signs of life from one look at the store to the next.
#[derive(Debug)]
struct Pulse {
    seen: Option<(Lease, Instant)>,
}

impl Pulse {
    /// Whether the writer has renewed its lease since the last look.
    fn beats(&mut self, lease: Option<&Lease>, now: Instant) -> bool {
        let before = self.seen.take();
        self.seen = lease.map(|lease| (lease.clone(), now));
        match (before, lease) {
            (Some((old, at)), Some(new)) => {
                let expected = old.left.saturating_sub(now.saturating_duration_since(at));
                // Two clocks are never quite alike.
                old.owner != new.owner || new.left > expected + EVERY
            }
            (None, Some(new)) => !new.left.is_zero(),
            (_, None) => false,
        }
    }
}

/// Follows until this process may take over, or may try to.
///
/// # Errors
/// When the store is of another cluster than the node, or cannot be used.
pub(crate) async fn follow(link: &Link, followed: Followed) -> Result<()> {
    let Followed { mut writer, takes_over } = followed;
    let mut pulse = Pulse { seen: None };
    let began = Instant::now();
    // What went wrong with this process's own writing and reading is over with it.
    for origin in
        [Origin::Connection, Origin::Lease, Origin::Snapshot, Origin::Fork, Origin::History]
    {
        link.report(origin, None);
    }
    link.health.send_modify(|h| {
        for reason in [Reason::GapFill, Reason::SocketSilent, Reason::Drift] {
            h.set(reason, false);
        }
    });
    check_cluster(link).await?;
    loop {
        match link.store.state().await {
            Ok(state) => {
                let lease = state.lease.as_ref().filter(|lease| !lease.left.is_zero());
                let first = pulse.seen.is_none();
                let beats = pulse.beats(lease, Instant::now());
                let before = writer.clone();
                writer = lease.map_or_else(|| NOBODY.to_owned(), |lease| lease.owner.clone());
                let mut trouble = None;
                match &takes_over {
                    TakesOver::WhenFree if lease.is_none() => {
                        link.note("TakenOver", json!({"from": before})).await;
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
                link.report(Origin::Store, trouble);
                if beats && !first {
                    // Standing by for a writer that is alive is no fault.
                    link.reason(Reason::Fenced, false);
                }
                show(link, &state, &writer, beats);
            }
            Err(e) if e.is_transient() => link.report(Origin::Store, Some(e.to_string())),
            Err(e) => return Err(e.into()),
        }
        link.pause(EVERY).await;
        if link.is_stopping() {
            return Ok(());
        }
    }
}

/// Makes sure that the store's cluster is the node's, as far as both can be asked.
async fn check_cluster(link: &Link) -> Result<()> {
    let Ok(state) = link.store.state().await else { return Ok(()) };
    let Some(genesis) = state.genesis_hash else { return Ok(()) };
    // Set twice only with the same value.
    let _ = link.genesis.set(genesis);
    match link.same_cluster(&link.rpc()).await {
        Err(e @ IndexerError::ClusterChanged { .. }) => Err(e),
        _ => Ok(()),
    }
}

/// Health as the writer's marks tell it.
fn show(link: &Link, state: &MirrorState, writer: &str, beats: bool) {
    link.revised(state.rev);
    let behind = link.config.behind;
    link.health.send_if_modified(|h| {
        let before = h.clone();
        h.conn = Conn::Following { writer: writer.to_owned() };
        (h.root, h.frontier) = (state.root_slot, state.frontier_slot);
        h.confirmed = state.confirmed_slot;
        h.saw_in_store(state.confirmed_slot, Instant::now());
        h.snapshot = Some(state.snapshot_slot).filter(|slot| *slot > 0);
        if beats {
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
    fn a_lease_that_only_runs_out_is_no_sign_of_life() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pulse = Pulse { seen: None };
        assert!(pulse.beats(Some(&lease(9_000)), at(0)));
        assert!(!pulse.beats(Some(&lease(8_750)), at(250)));
        assert!(!pulse.beats(Some(&lease(8_520)), at(500)));
        assert!(pulse.beats(Some(&lease(10_000)), at(750)), "renewed");
        assert!(!pulse.beats(Some(&lease(9_750)), at(1_000)));
        assert!(!pulse.beats(None, at(1_250)));
    }
}
