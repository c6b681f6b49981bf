//! Walks the node's list of transactions, which it tells newest first, in the order in which they
//! happened, without ever holding more than one window of it. A first walk through the list only
//! keeps where it can be cut; then the windows are read again, the oldest first.
//!
//! Inside a slot the list has no stable order, so each page begins in the slot before: the slot in
//! which a page ended is told again in full. What the list says must fit what it said before. If
//! it does not, that is an error: a transaction that is left out would be missing for good.
use std::collections::{BTreeMap, BTreeSet};

use solana_signature::Signature;

use crate::{IndexerError, Result};

/// One transaction as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its slot.
    pub slot: u64,
    /// Its signature.
    pub signature: Signature,
    /// Whether it failed.
    pub failed: bool,
}

/// A node's list of the manager's transactions.
pub trait List {
    /// The transactions before `before` in the list, newest first; the newest of all without it.
    async fn page(&self, before: Option<Signature>) -> Result<Vec<Listed>>;
    /// Whether the node still has a transaction of its list.
    async fn has(&self, signature: &Signature) -> Result<bool>;
    /// The error for a list that is not to be trusted.
    fn wrong(&self, detail: String) -> IndexerError;
}

/// Successful transactions of some slots.
pub type Slots = BTreeMap<u64, BTreeSet<Signature>>;

/// A part of the list that ends between two slots.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Where it begins: behind this entry.
    from: Option<Listed>,
    /// Slots above this one belong to it.
    above: u64,
    /// And those up to this one.
    upto: u64,
    /// Transactions in it, failed ones too.
    count: usize,
}

/// A list that was walked through once and can now be read oldest first.
#[derive(Debug)]
pub struct Pages {
    /// The newest first.
    windows: Vec<Window>,
    /// The oldest window, which the first walk read last.
    oldest: Option<Slots>,
}

/// A walk through the list from newest to oldest.
#[derive(Debug)]
struct Walk {
    /// The entry behind which the next page begins.
    from: Option<Listed>,
    /// The oldest slot so far, and what was told of it.
    floor: Option<(u64, BTreeSet<Signature>)>,
    /// Whether the next page must tell of all those again.
    overlaps: bool,
    /// Entries of the longest page.
    longest: usize,
}

impl Walk {
    fn new(from: Option<Listed>) -> Self {
        Self { from, floor: None, overlaps: from.is_some(), longest: 0 }
    }

    /// The next page; empty at the end of the list.
    async fn next<L: List>(&mut self, list: &L) -> Result<Vec<Listed>> {
        let page = list.page(self.from.map(|from| from.signature)).await?;
        let Some(floor) = page.iter().map(|e| e.slot).min() else {
            return match self.from {
                None => Ok(page),
                Some(from) if !self.overlaps && list.has(&from.signature).await? => Ok(page),
                Some(from) => Err(list.wrong(format!(
                    "it has lost transaction {} of slot {}, which it listed before",
                    from.signature, from.slot
                ))),
            };
        };
        if let Some(from) = self.from {
            if page.iter().any(|e| e.slot > from.slot || e.signature == from.signature) {
                return Err(list.wrong("its pages go in a circle".to_owned()));
            }
        }
        let mut told: BTreeSet<Signature> =
            page.iter().filter(|e| e.slot == floor).map(|e| e.signature).collect();
        if let Some((before, known)) = &self.floor {
            let again = |s: &Signature| page.iter().any(|e| e.signature == *s);
            if self.overlaps && floor < *before && !known.iter().all(again) {
                return Err(list.wrong(format!(
                    "its pages do not agree on the transactions of slot {before}"
                )));
            }
            if floor > *before {
                return Err(list.wrong(format!("its pages skip slot {before}")));
            }
            if floor == *before {
                if !self.overlaps && told.is_subset(known) {
                    // Nothing new and nothing older. A full page may hide what is behind it.
                    return if page.len() < self.longest {
                        Ok(vec![])
                    } else {
                        Err(list.wrong("its pages go in a circle".to_owned()))
                    };
                }
                told.extend(known.iter().copied());
            }
        }
        let stuck = self.floor.as_ref().is_some_and(|(before, _)| *before == floor);
        let cut = page.iter().rev().find(|e| e.slot > floor).filter(|_| !stuck);
        // A page of one slot alone can only be gone on from where it ended.
        self.overlaps = cut.is_some();
        self.from = cut.or(page.last()).copied();
        self.floor = Some((floor, told));
        self.longest = self.longest.max(page.len());
        Ok(page)
    }

    fn reached(&self, slot: u64) -> bool {
        self.floor.as_ref().is_some_and(|(floor, _)| *floor <= slot)
    }
}

impl Pages {
    /// Walks through the list down to slot `after`, which is left out. With `known`, the mirror has
    /// already read something up to there, so a list that ends above it is not whole.
    ///
    /// # Errors
    /// When the node does not answer, or its list is not to be trusted.
    pub async fn survey<L: List>(list: &L, after: u64, upto: u64, known: bool) -> Result<Self> {
        let mut windows = vec![];
        let mut walk = Walk::new(None);
        let mut window = Window { from: None, above: after, upto, count: 0 };
        let mut inside: BTreeMap<Signature, Listed> = BTreeMap::new();
        loop {
            let page = walk.next(list).await?;
            let ended = page.is_empty();
            for entry in page.into_iter().filter(|e| e.slot > after && e.slot <= window.upto) {
                inside.insert(entry.signature, entry);
            }
            if ended && known {
                return Err(list.wrong(format!(
                    "its list ends above slot {after}, up to which the mirror has read: what lies between may be missing. Use a node that keeps the whole history"
                )));
            }
            if ended || walk.reached(after) {
                break;
            }
            if let Some((floor, _)) = walk.floor.as_ref().filter(|_| walk.overlaps)
                && *floor < window.upto
            {
                let count = inside.values().filter(|e| e.slot > *floor).count();
                windows.push(Window { above: *floor, count, ..window });
                window = Window { from: walk.from, above: after, upto: *floor, count: 0 };
                inside.retain(|_, e| e.slot <= *floor);
            }
        }
        Ok(Self { windows, oldest: Some(successful(inside.into_values())) })
    }

    /// The next window, older ones first; `None` after the last. Slots without a successful
    /// transaction are left out, so a window may be empty.
    ///
    /// # Errors
    /// As [`Self::survey`]. Then nothing of the window may be taken as read.
    pub async fn next<L: List>(&mut self, list: &L) -> Result<Option<Slots>> {
        if let Some(oldest) = self.oldest.take() {
            return Ok(Some(oldest));
        }
        let Some(Window { from, above, upto, count }) = self.windows.pop() else {
            return Ok(None);
        };
        let mut inside: BTreeMap<Signature, Listed> = BTreeMap::new();
        let mut walk = Walk::new(from);
        while !walk.reached(above) {
            let page = walk.next(list).await?;
            if page.is_empty() {
                return Err(list.wrong(format!("its list now ends above slot {above}")));
            }
            for entry in page.into_iter().filter(|e| e.slot > above && e.slot <= upto) {
                inside.insert(entry.signature, entry);
            }
        }
        if inside.len() != count {
            return Err(list.wrong(format!(
                "it listed {count} transactions in the slots above {above} up to {upto}, and now lists {}",
                inside.len()
            )));
        }
        Ok(Some(successful(inside.into_values())))
    }
}

fn successful(entries: impl Iterator<Item = Listed>) -> Slots {
    let mut slots = Slots::new();
    for entry in entries.filter(|e| !e.failed) {
        slots.entry(entry.slot).or_default().insert(entry.signature);
    }
    slots
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, sync::Mutex};

    use proptest::prelude::*;

    use super::*;
    use crate::source::fault::Fault as Rejected;

    /// A node with `all`, newest first, that answers in pages of `size`.
    struct Node {
        all: Mutex<Vec<Listed>>,
        size: usize,
        /// Calls after which the node turns bad.
        calls: Cell<usize>,
        fault: Option<(usize, Fault)>,
    }

    #[derive(Clone, Copy, Debug)]
    enum Fault {
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

    fn node(slots: &[u64], size: usize) -> Node {
        let numbered = slots.iter().zip(1u64..);
        let mut all: Vec<Listed> = numbered
            .map(|(slot, n)| Listed { slot: *slot, signature: sig(n), failed: n % 7 == 0 })
            .collect();
        all.sort_by_key(|e| std::cmp::Reverse(e.slot));
        Node { all: Mutex::new(all), size, calls: Cell::new(0), fault: None }
    }

    impl List for Node {
        async fn page(&self, before: Option<Signature>) -> Result<Vec<Listed>> {
            let call = self.calls.get();
            self.calls.set(call + 1);
            let mut all = self.all.lock().unwrap();
            let mut before = before;
            match self.fault {
                Some((from, fault)) if call >= from => match fault {
                    Fault::ForgetsAnchors if before.is_some() => return Ok(vec![]),
                    Fault::Circles => before = None,
                    Fault::Prunes(slot) => all.retain(|e| e.slot >= slot),
                    Fault::Skips(n) => all.retain(|e| e.signature != sig(n)),
                    Fault::ForgetsAnchors => {}
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
            let forgets = matches!(self.fault, Some((_, Fault::ForgetsAnchors)));
            Ok(!forgets && self.all.lock().unwrap().iter().any(|e| e.signature == *signature))
        }

        fn wrong(&self, detail: String) -> IndexerError {
            let (url, method) = ("node".into(), "getSignaturesForAddress");
            IndexerError::Rpc { url, method, fault: Rejected::Garbled, detail }
        }
    }

    fn expected(node: &Node, after: u64, upto: u64) -> Slots {
        let all = node.all.lock().unwrap().clone();
        successful(all.into_iter().filter(|e| e.slot > after && e.slot <= upto))
    }

    /// All windows together, checked to come oldest first, and the size of the largest.
    async fn read(node: &Node, after: u64, upto: u64, known: bool) -> Result<(Slots, usize)> {
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
    fn a_long_history_is_read_oldest_first_and_never_held_whole() {
        let slots: Vec<u64> = (0..100_000).map(|n| 10 + n / 3).collect();
        let node = node(&slots, 1_000);
        let (out, largest) = block_on(read(&node, 0, u64::MAX, false)).unwrap();
        assert_eq!(out, expected(&node, 0, u64::MAX));
        assert!(largest <= 2_000, "{largest} at once");
        // Each page once to find the cuts and once to read it.
        assert!(node.calls.get() < 2 * 110, "{} calls", node.calls.get());
    }

    #[test]
    fn a_list_that_goes_on_where_the_mirror_stands_is_asked_for_one_page() {
        let node = node(&(1..=50).collect::<Vec<_>>(), 1_000);
        let (out, _) = block_on(read(&node, 40, 45, true)).unwrap();
        assert_eq!(out, expected(&node, 40, 45));
        assert_eq!(node.calls.get(), 1);
    }

    #[test]
    fn a_list_that_loses_its_place_goes_in_a_circle_or_shrinks_is_an_error_and_no_hole() {
        let slots: Vec<u64> = (0..60).map(|n| 10 + n / 2).collect();
        for (fault, known) in
            [(Fault::ForgetsAnchors, false), (Fault::Circles, false), (Fault::Prunes(25), true)]
        {
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
        node.fault = Some((12, Fault::Skips(49)));
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
        fn an_order_inside_a_slot_that_changes_from_call_to_call_hides_nothing(
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
        node: Node,
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
}
