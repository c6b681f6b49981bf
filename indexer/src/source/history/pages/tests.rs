//! Lists of every shape, in pages of every size, and lists that cannot be trusted.
use std::{cell::Cell, sync::Mutex};

use proptest::prelude::*;

use super::*;
use crate::source::fault::RpcFault as Rejected;

/// A node with `all`, newest first, that answers in pages of `size`.
struct PagedNode {
    all: Mutex<Vec<Listed>>,
    size: usize,
    /// Calls after which the node turns bad.
    calls: Cell<usize>,
    fault: Option<(usize, RpcFault)>,
}

#[derive(Clone, Copy, Debug)]
enum RpcFault {
    /// It answers as if nothing was older.
    ForgetsAnchors,
    /// It begins at the top again.
    Circles,
    /// It loses everything below this slot.
    Prunes(u64),
    /// It leaves out one transaction.
    Skips(u64),
}

fn sig(n: u64) -> Signature {
    let mut bytes = [0; 64];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    Signature::from(bytes)
}

fn node(slots: &[u64], size: usize) -> PagedNode {
    let numbered = slots.iter().zip(1u64..);
    let mut all: Vec<Listed> = numbered
        .map(|(slot, n)| Listed { slot: *slot, signature: sig(n), failed: n % 7 == 0 })
        .collect();
    all.sort_by_key(|e| std::cmp::Reverse(e.slot));
    PagedNode { all: Mutex::new(all), size, calls: Cell::new(0), fault: None }
}

impl List for PagedNode {
    async fn page(&self, before: Option<Signature>) -> Result<Vec<Listed>> {
        let call = self.calls.get();
        self.calls.set(call + 1);
        let mut all = self.all.lock().unwrap();
        let mut before = before;
        match self.fault {
            Some((from, fault)) if call >= from => match fault {
                RpcFault::ForgetsAnchors if before.is_some() => return Ok(vec![]),
                RpcFault::Circles => before = None,
                RpcFault::Prunes(slot) => all.retain(|e| e.slot >= slot),
                RpcFault::Skips(n) => all.retain(|e| e.signature != sig(n)),
                RpcFault::ForgetsAnchors => {}
            },
            _ => {}
        }
        let from = match before {
            None => 0,
            Some(s) => match all.iter().position(|e| e.signature == s) {
                Some(at) => at + 1,
                None => return Ok(vec![]),
            },
        };
        Ok(all[from..].iter().take(self.size).copied().collect())
    }

    async fn has(&self, signature: &Signature) -> Result<bool> {
        let forgets = matches!(self.fault, Some((_, RpcFault::ForgetsAnchors)));
        Ok(!forgets && self.all.lock().unwrap().iter().any(|e| e.signature == *signature))
    }

    fn wrong(&self, detail: String) -> IndexerError {
        let (url, method) = ("node".into(), "getSignaturesForAddress");
        IndexerError::Rpc { url, method, fault: Rejected::Garbled, detail }
    }
}

fn expected(node: &PagedNode, after: u64, upto: u64) -> Slots {
    let all = node.all.lock().unwrap().clone();
    successful(all.into_iter().filter(|e| e.slot > after && e.slot <= upto))
}

/// All windows together, checked to come oldest first, and the size of the largest.
async fn read(node: &PagedNode, after: u64, upto: u64, known: bool) -> Result<(Slots, usize)> {
    let mut pages = Pages::survey(node, after, upto, known).await?;
    let (mut out, mut largest) = (Slots::new(), 0);
    while let Some(window) = pages.next(node).await? {
        let (first, last) = (window.keys().next(), out.keys().next_back());
        if let (Some(first), Some(last)) = (first, last) {
            assert!(first > last, "slot {first} came after slot {last}");
        }
        largest = largest.max(window.values().map(BTreeSet::len).sum());
        out.extend(window);
    }
    Ok((out, largest))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn a_long_history_is_read_oldest_first_in_windows() {
    let slots: Vec<u64> = (0..100_000).map(|n| 10 + n / 3).collect();
    let node = node(&slots, 1_000);
    let (out, largest) = block_on(read(&node, 0, u64::MAX, false)).unwrap();
    assert_eq!(out, expected(&node, 0, u64::MAX));
    assert!(largest <= 2_000, "{largest} at once");
    // Each page once to find the cuts and once to read it.
    assert!(node.calls.get() < 2 * 110, "{} calls", node.calls.get());
}

#[test]
fn a_list_with_nothing_new_takes_one_page() {
    let node = node(&(1..=50).collect::<Vec<_>>(), 1_000);
    let (out, _) = block_on(read(&node, 40, 45, true)).unwrap();
    assert_eq!(out, expected(&node, 40, 45));
    assert_eq!(node.calls.get(), 1);
}

#[test]
fn a_list_that_contradicts_itself_is_an_error() {
    let slots: Vec<u64> = (0..60).map(|n| 10 + n / 2).collect();
    for (fault, known) in [
        (RpcFault::ForgetsAnchors, false),
        (RpcFault::Circles, false),
        (RpcFault::Prunes(25), true),
    ] {
        for from in 1..4 {
            let mut node = node(&slots, 8);
            node.fault = Some((from, fault));
            let after = if known { 12 } else { 0 };
            let read = block_on(read(&node, after, 100, known));
            assert!(read.is_err(), "{fault:?} from call {from}: {read:?}");
        }
    }
    // Between the two walks.
    let mut node = node(&slots, 8);
    node.fault = Some((12, RpcFault::Skips(49)));
    let error = block_on(read(&node, 0, 100, false)).unwrap_err().to_string();
    assert!(error.contains("now lists"), "{error}");
}

proptest! {
    #[test]
    fn whatever_the_pages_every_transaction_comes_once_and_in_its_slot(
        slots in prop::collection::vec(1u64..40, 0..120),
        size in 1usize..12, after in 0u64..20, upto in 15u64..45,
    ) {
        let node = node(&slots, size);
        let known = slots.iter().any(|slot| *slot <= after);
        let (out, _) = block_on(read(&node, after, upto, known)).unwrap();
        prop_assert_eq!(out, expected(&node, after, upto));
    }

    #[test]
    fn a_changing_order_within_a_slot_hides_nothing(
        slots in prop::collection::vec(1u64..12, 0..60), more in 1usize..5, turn in 1usize..6,
    ) {
        // The page holds two slots in full, as a thousand does on any chain.
        let most = (1..12).map(|n| slots.iter().filter(|slot| **slot == n).count()).max();
        let size = 2 * most.unwrap_or(0) + more;
        let node = Shuffling { node: node(&slots, size), turn };
        let expected = expected(&node.node, 0, 100);
        let read = block_on(async {
            let mut pages = Pages::survey(&node, 0, 100, false).await?;
            let mut out = Slots::new();
            while let Some(window) = pages.next(&node).await? {
                out.extend(window);
            }
            Ok::<_, IndexerError>(out)
        });
        prop_assert_eq!(read.unwrap(), expected);
    }
}

/// Turns the order inside each slot by some places at each call.
struct Shuffling {
    node: PagedNode,
    turn: usize,
}

impl List for Shuffling {
    async fn page(&self, before: Option<Signature>) -> Result<Vec<Listed>> {
        let page = self.node.page(before).await;
        let mut all = self.node.all.lock().unwrap();
        for of_slot in all.chunk_by_mut(|a, b| a.slot == b.slot) {
            let by = self.turn % of_slot.len();
            of_slot.rotate_left(by);
        }
        drop(all);
        page
    }

    async fn has(&self, signature: &Signature) -> Result<bool> {
        self.node.has(signature).await
    }

    fn wrong(&self, detail: String) -> IndexerError {
        self.node.wrong(detail)
    }
}
