//! Reads the node's list of transactions, which is newest first, in the opposite order, without holding
//! more than one window of it in memory. A first walk records only where the list can be cut into
//! windows; then the windows are read again, oldest first.
//!
//! Within a slot the list has no stable order, so consecutive pages overlap: the slot in which a page
//! ended is listed again in full by the next one. Any contradiction between pages is an error: a
//! transaction left out here would be missing from the audit log for good.
use std::collections::{BTreeMap, BTreeSet};

use solana_signature::Signature;

use crate::source::error::{IndexerError, Result};

/// One entry of the list.
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
    /// The entries older than `before`, newest first; without it, the newest of all.
    async fn page(&self, before: Option<Signature>) -> Result<Vec<Listed>>;
    /// Whether the node still has a listed transaction.
    async fn has(&self, signature: &Signature) -> Result<bool>;
    /// The error for a list that contradicts itself.
    fn wrong(&self, detail: String) -> IndexerError;
}

/// Successful transactions of some slots.
pub type Slots = BTreeMap<u64, BTreeSet<Signature>>;

/// A part of the list, cut between two slots.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// It begins after this entry; at the newest one for [`None`].
    from: Option<Listed>,
    /// Its lower bound: slots above this one.
    above: u64,
    /// Its upper bound: slots up to this one.
    upto: u64,
    /// Number of its transactions, failed ones included.
    count: usize,
}

/// A list that was walked once and can now be read oldest first.
#[derive(Debug)]
pub struct Pages {
    /// Newest first.
    windows: Vec<Window>,
    /// The oldest window; the first walk has read it last, so it is in memory already.
    oldest: Option<Slots>,
}

/// A walk through the list from newest to oldest.
#[derive(Debug)]
struct Walk {
    /// The next page begins after this entry.
    from: Option<Listed>,
    /// The oldest slot so far, and its listed transactions.
    floor: Option<(u64, BTreeSet<Signature>)>,
    /// Whether the next page must list all of those again.
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
        if let Some(from) = self.from
            && page.iter().any(|e| e.slot > from.slot || e.signature == from.signature)
        {
            return Err(list.wrong("its pages go in a circle".to_owned()));
        }
        let mut in_floor: BTreeSet<Signature> =
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
                if !self.overlaps && in_floor.is_subset(known) {
                    // Nothing new and nothing older: the end, unless the page is full, which could
                    // hide older entries.
                    return if page.len() < self.longest {
                        Ok(vec![])
                    } else {
                        Err(list.wrong("its pages go in a circle".to_owned()))
                    };
                }
                in_floor.extend(known.iter().copied());
            }
        }
        let stuck = self.floor.as_ref().is_some_and(|(before, _)| *before == floor);
        let cut = page.iter().rev().find(|e| e.slot > floor).filter(|_| !stuck);
        // After a page of a single slot, only the last entry can be the next start.
        self.overlaps = cut.is_some();
        self.from = cut.or(page.last()).copied();
        self.floor = Some((floor, in_floor));
        self.longest = self.longest.max(page.len());
        Ok(page)
    }

    fn reached(&self, slot: u64) -> bool {
        self.floor.as_ref().is_some_and(|(floor, _)| *floor <= slot)
    }
}

impl Pages {
    /// Walks the list down to slot `after`, exclusive. `known`: the mirror has already read events up
    /// to there, so a list that ends above it is incomplete.
    ///
    /// # Errors
    /// When the node does not answer, or its list contradicts itself.
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

    /// The next window, oldest first; [`None`] after the last. Slots without a successful transaction
    /// are left out, so a window may be empty.
    ///
    /// # Errors
    /// As [`Self::survey`]. Then no slot of the window counts as read.
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
mod tests;
