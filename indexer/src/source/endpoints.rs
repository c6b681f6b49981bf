//! Chooses the node to read. The choice is sticky, because mixing the reads of two nodes would go back
//! and forth in time: the mirror changes the node only when it fails, falls behind, lists too few
//! accounts, or belongs to another cluster.
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::future::join_all;
use solana_commitment_config::CommitmentLevel;
use tracing::warn;

use super::{SourceConfig, close_reason::CloseReason, rpc::Rpc};
use crate::source::error::{IndexerError, Result};

/// Failures in a row after which the node is changed, for failures that can be accidents.
const MAX_FAILURES: u32 = 2;

/// The nodes, and which one is current.
#[derive(Debug)]
pub struct Endpoints {
    first: Rpc,
    /// All nodes, including the first.
    nodes: Vec<Rpc>,
    behind: u64,
    state: Mutex<PoolState>,
}

#[derive(Debug, Default)]
struct PoolState {
    at: usize,
    failures: u32,
    /// Nodes of another cluster, which are never read again.
    barred: Vec<usize>,
    /// Nodes whose last list of accounts was incomplete.
    short: BTreeSet<usize>,
}

/// How far the current node is behind the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Its newest confirmed slot.
    pub slot: u64,
    /// The newest confirmed slot of any node.
    pub tip: u64,
    /// Scheme and host of the node at `tip`.
    pub url: String,
    /// Whether it is so far behind that the mirror should change the node.
    pub too_far: bool,
    best: usize,
}

impl Endpoints {
    /// The nodes of `config`, starting with the first. Sends nothing yet.
    #[must_use]
    pub fn new(config: &SourceConfig) -> Self {
        let first = Rpc::new(config);
        let others = config.endpoints.iter().skip(1).map(|endpoint| Rpc::at(config, endpoint));
        let nodes = [first.clone()].into_iter().chain(others).collect();
        Self { first, nodes, behind: config.behind, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of nodes, including those of another cluster.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "there is always at least one")]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The current node.
    #[must_use]
    pub fn current(&self) -> Rpc {
        let at = self.state().at;
        self.nodes.get(at).unwrap_or(&self.first).clone()
    }

    /// Switches to the first node that answers, starting with the current one, and returns its genesis
    /// hash. For single reads; a running mirror retries instead.
    ///
    /// # Errors
    /// Why the last of them did not answer.
    pub async fn answering(&self) -> Result<[u8; 32]> {
        let mut left = self.nodes.len();
        loop {
            match self.current().genesis_hash().await {
                Err(error) if left > 1 && self.next().is_some() => {
                    warn!("{error}");
                    left = left.saturating_sub(1);
                }
                answer => return answer,
            }
        }
    }

    /// All other nodes, without those of another cluster.
    #[must_use]
    pub fn others(&self) -> Vec<Rpc> {
        let state = self.state();
        let nodes = self.nodes.iter().enumerate();
        let others = nodes.filter(|(at, _)| *at != state.at && !state.barred.contains(at));
        others.map(|(_, rpc)| rpc.clone()).collect()
    }

    /// Resets the failure count, after the current node has been stable for a while.
    pub fn reset_failures(&self) {
        self.state().failures = 0;
    }

    /// Counts a failure of the current node; returns whether another node is current now. Errors that
    /// are clearly the node's (silence, lag, refusal) change the node at once; a broken connection only
    /// the second time.
    pub fn failed(&self, error: &IndexerError) -> bool {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        let leave = match error {
            IndexerError::Store(_)
            | IndexerError::File { .. }
            | IndexerError::Recording { .. }
            | IndexerError::Overrun { .. }
            | IndexerError::UsedUp
            | IndexerError::NotFilled
            | IndexerError::Incomplete { .. }
            | IndexerError::WriterBehind { .. } => return false,
            IndexerError::ClusterChanged { .. } => {
                let at = state.at;
                if !state.barred.contains(&at) {
                    state.barred.push(at);
                }
                true
            }
            IndexerError::Behind { .. }
            | IndexerError::Truncated { .. }
            | IndexerError::Unlisted { .. }
            | IndexerError::Pruned { .. }
            | IndexerError::Unread { .. }
            | IndexerError::Deaf { .. }
            | IndexerError::Implausible { .. } => true,
            IndexerError::Socket { reason, .. } => matches!(
                reason,
                CloseReason::Silent
                    | CloseReason::PongMissed
                    | CloseReason::Refused
                    | CloseReason::Limited
            ),
            IndexerError::Rpc { fault, .. } => !fault.is_passing(),
        };
        (leave || state.failures >= MAX_FAILURES) && self.rotate(&mut state)
    }

    /// Records whether the current node's list was `short` of existing accounts.
    pub fn listed(&self, short: bool) {
        let mut state = self.state();
        let at = state.at;
        if short {
            state.short.insert(at)
        } else {
            state.short.remove(&at)
        };
    }

    /// Whether there is another usable node whose lists are not known to be short.
    #[must_use]
    pub fn may_list_more(&self) -> bool {
        let state = self.state();
        (0..self.nodes.len())
            .any(|at| at != state.at && !state.barred.contains(&at) && !state.short.contains(&at))
    }

    /// Switches to the next node; [`None`] when there is no other.
    pub fn next(&self) -> Option<Rpc> {
        let turned = self.rotate(&mut self.state());
        turned.then(|| self.current())
    }

    fn rotate(&self, state: &mut PoolState) -> bool {
        let all = self.nodes.len();
        let others = (1..all).map(|step| state.at.wrapping_add(step) % all);
        let open: Vec<usize> = others.filter(|at| !state.barred.contains(at)).collect();
        let whole = open.iter().find(|at| !state.short.contains(at));
        let next = whole.or(open.first()).copied();
        match next {
            Some(next) => {
                self.switch_to(state, next);
                true
            }
            None => false,
        }
    }

    fn switch_to(&self, state: &mut PoolState, to: usize) {
        let name = |at: usize| self.nodes.get(at).map(Rpc::shown).unwrap_or_default();
        warn!(from = name(state.at), to = name(to), "the mirror reads another node");
        (state.at, state.failures) = (to, 0);
    }

    /// Compares the current node with the others; [`None`] when there are none. Ignores others that do
    /// not answer.
    ///
    /// # Errors
    /// When the current node does not answer.
    pub async fn lag(&self) -> Result<Option<Lag>> {
        let (at, barred) = {
            let state = self.state();
            (state.at, state.barred.clone())
        };
        let open = (0..self.nodes.len()).filter(|node| *node == at || !barred.contains(node));
        let open: Vec<(usize, &Rpc)> =
            open.filter_map(|node| Some((node, self.nodes.get(node)?))).collect();
        if open.len() < 2 {
            return Ok(None);
        }
        let ask = |(node, rpc): (usize, Rpc)| async move {
            (node, rpc.slot(CommitmentLevel::Confirmed).await)
        };
        let answers = join_all(open.into_iter().map(|(node, rpc)| ask((node, rpc.clone())))).await;
        let (mut own, mut tip, mut best) = (None, 0, at);
        for (node, answer) in answers {
            let slot = match answer {
                Ok(slot) => slot,
                Err(error) if node == at => return Err(error),
                Err(_) => continue,
            };
            if node == at {
                own = Some(slot);
            }
            if slot > tip {
                (tip, best) = (slot, node);
            }
        }
        let slot = own.unwrap_or(tip);
        let url = self.nodes.get(best).map(Rpc::shown).unwrap_or_default();
        Ok(Some(Lag { slot, tip, url, too_far: tip.saturating_sub(slot) > self.behind, best }))
    }

    /// Switches to the node that `lag` found to be ahead.
    pub fn switch_to_freshest(&self, lag: &Lag) -> Rpc {
        {
            let mut state = self.state();
            if lag.best != state.at && !state.barred.contains(&lag.best) {
                self.switch_to(&mut state, lag.best);
            }
        }
        self.current()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{
        Endpoint,
        fault::RpcFault,
        testing::{FakeNode, Reply},
    };
    use serde_json::json;

    fn rpc_error(fault: RpcFault) -> IndexerError {
        IndexerError::Rpc { url: "a".into(), method: "getSlot", fault, detail: "x".into() }
    }

    fn socket_error(reason: CloseReason) -> IndexerError {
        IndexerError::Socket { url: "a".into(), reason, what: "x".into() }
    }

    fn of(urls: &[&str]) -> Endpoints {
        let endpoint = |url: &&str| Endpoint { rpc_url: (*url).to_owned(), ws_url: String::new() };
        let config = SourceConfig {
            endpoints: urls.iter().map(endpoint).collect(),
            ..SourceConfig::new(String::new(), String::new(), upgrade_manager::ID)
        };
        Endpoints::new(&config)
    }

    async fn at_slot(slot: u64) -> FakeNode {
        FakeNode::start(move |_, _| Reply::result(&json!(slot))).await
    }

    #[test]
    fn a_silent_or_lagging_node_is_changed_at_once_round_robin() {
        let all = of(&["http://a", "http://b", "http://c"]);
        let behind = IndexerError::Behind { url: "a".into(), slot: 1, seen: 2 };
        assert!(all.failed(&behind));
        assert_eq!(all.current().shown(), "http://b");
        assert!(all.failed(&socket_error(CloseReason::Silent)));
        assert_eq!(all.current().shown(), "http://c");
        assert!(all.failed(&rpc_error(RpcFault::MethodMissing)));
        assert_eq!(all.current().shown(), "http://a");
        assert_eq!(all.next().unwrap().shown(), "http://b");
    }

    #[test]
    fn one_broken_connection_does_not_change_the_node() {
        let all = of(&["http://a", "http://b"]);
        for broken in [socket_error(CloseReason::Closed(1006)), rpc_error(RpcFault::Timeout)] {
            let before = all.current().shown();
            assert!(!all.failed(&broken));
            all.reset_failures();
            assert!(!all.failed(&broken), "it did well in between");
            assert_eq!(all.current().shown(), before);
            assert!(all.failed(&broken));
            assert_ne!(all.current().shown(), before);
        }
    }

    #[test]
    fn a_store_error_does_not_change_the_node() {
        let all = of(&["http://a", "http://b"]);
        let error = IndexerError::Store(crate::store::StoreError::Unavailable {
            place: "mirror.db".into(),
            detail: "full".into(),
        });
        for _ in 0..5 {
            assert!(!all.failed(&error));
        }
        assert_eq!(all.current().shown(), "http://a");
    }

    #[test]
    fn a_single_node_is_never_changed() {
        let one = of(&["http://a"]);
        for _ in 0..3 {
            assert!(!one.failed(&socket_error(CloseReason::Silent)));
        }
        assert!(one.next().is_none());
        assert_eq!(one.current().shown(), "http://a");
        assert_eq!(of(&[]).len(), 1, "no node at all is one that cannot be reached");
    }

    #[test]
    fn a_node_of_another_cluster_is_never_read_again() {
        let all = of(&["http://a", "http://b", "http://c"]);
        let changed =
            IndexerError::ClusterChanged { url: "a".into(), stored: "x".into(), given: "y".into() };
        assert!(all.failed(&changed));
        for _ in 0..4 {
            all.next();
            assert_ne!(all.current().shown(), "http://a");
        }
        assert!(all.failed(&changed));
        assert!(!all.failed(&changed), "the last one has no other to go to");
    }

    #[tokio::test]
    async fn a_lagging_node_is_changed_for_the_freshest() {
        let (slow, near, fast) = (at_slot(1_000).await, at_slot(1_020).await, at_slot(1_021).await);
        let all = of(&[&slow.url, "http://127.0.0.1:1", &near.url]);
        let lag = all.lag().await.unwrap().unwrap();
        assert_eq!((lag.slot, lag.tip, lag.too_far), (1_000, 1_020, false), "{lag:?}");
        let all = of(&[&slow.url, &near.url, &fast.url]);
        let lag = all.lag().await.unwrap().unwrap();
        assert_eq!((lag.tip, lag.too_far, &lag.url), (1_021, true, &fast.url));
        assert_eq!(all.switch_to_freshest(&lag).shown(), fast.url);
        let lag = all.lag().await.unwrap().unwrap();
        assert_eq!((lag.slot, lag.too_far), (1_021, false), "and now nothing is in front");
    }

    #[tokio::test]
    async fn a_single_read_uses_the_first_node_that_answers() {
        let error = of(&["http://127.0.0.1:1", "http://127.0.0.1:2"]).answering().await;
        assert!(error.unwrap_err().to_string().contains("127.0.0.1:2"), "the last one is named");
        let node = at_slot(5).await;
        let all = of(&["http://127.0.0.1:1", &node.url]);
        // The server has no genesis hash to tell; it is the last to be asked, and named.
        let error = all.answering().await.unwrap_err().to_string();
        assert!(error.contains(&node.url), "{error}");
        assert_eq!(all.current().shown(), node.url);
    }

    #[tokio::test]
    async fn lag_needs_a_second_node() {
        let node = at_slot(5).await;
        assert_eq!(of(&[&node.url]).lag().await.unwrap(), None);
        assert!(node.methods().is_empty());
    }
}
