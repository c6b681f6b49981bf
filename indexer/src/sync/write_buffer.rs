//! Changes that are not written yet: the newest state of each account, and up to which slot the stream
//! is complete once they are written. Bounded in accounts and bytes. It never waits for the store and
//! drops no change: a full buffer is an error.
use std::{
    collections::{HashMap, HashSet},
    mem,
};

use solana_pubkey::Pubkey;

use crate::{
    account::{AccountKind, Quarantined, Update},
    store::{Batch, Close},
};

/// Most waiting accounts.
pub const MAX_ACCOUNTS: usize = 200_000;
/// Most waiting bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// Memory of a waiting account besides its data.
const ENTRY_OVERHEAD: usize = 400;

/// A change of one account from the stream.
#[derive(Clone, Debug)]
pub enum AccountChange {
    /// Its state.
    State(Box<Update>),
    /// It was closed.
    Gone(Close),
    /// Its state cannot be decoded.
    Unreadable(Box<Quarantined>),
}

/// Up to where the stream is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamProgress {
    /// Newest confirmed slot of which every message has arrived.
    pub confirmed: u64,
    /// Newest finalised slot of which every message has arrived.
    pub root: u64,
}

impl StreamProgress {
    /// The maximum of both, field by field.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { confirmed: self.confirmed.max(other.confirmed), root: self.root.max(other.root) }
    }
}

/// The buffer is over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Waiting accounts.
    pub accounts: usize,
    /// Their bytes.
    pub bytes: usize,
}

#[derive(Clone, Debug)]
enum Entry {
    State(Box<Update>),
    Gone(Close),
}

impl Entry {
    fn order(&self) -> (u64, u64) {
        match self {
            Self::State(update) => (update.slot, update.write_version),
            Self::Gone(close) => (close.slot, close.write_version),
        }
    }

    fn bytes(&self) -> usize {
        let raw = if let Self::State(update) = self { update.raw.len() } else { 0 };
        raw.saturating_add(ENTRY_OVERHEAD)
    }
}

/// The write buffer. Changes being written are kept apart from those that arrive meanwhile; otherwise a
/// busy stream would never reach a complete slot.
#[derive(Debug)]
pub struct WriteBuffer {
    newest: HashMap<Pubkey, Entry>,
    unreadable: HashMap<Pubkey, Quarantined>,
    progress: StreamProgress,
    /// The entries being written.
    going: Vec<Entry>,
    going_unreadable: Vec<Quarantined>,
    going_progress: StreamProgress,
    bytes: usize,
    most: Full,
    /// Accounts that waited when tracking started, or have arrived since; [`None`] without tracking, or
    /// when there are too many.
    arrivals: Option<HashSet<Pubkey>>,
}

impl Default for WriteBuffer {
    fn default() -> Self {
        Self::bounded(Full { accounts: MAX_ACCOUNTS, bytes: MAX_BYTES })
    }
}

impl WriteBuffer {
    /// An empty buffer that holds at most `most`.
    #[must_use]
    pub fn bounded(most: Full) -> Self {
        Self {
            newest: HashMap::new(),
            unreadable: HashMap::new(),
            progress: StreamProgress::default(),
            going: vec![],
            going_unreadable: vec![],
            going_progress: StreamProgress::default(),
            bytes: 0,
            most,
            arrivals: None,
        }
    }

    /// Takes a change in; of several states of one account the newest stays.
    ///
    /// # Errors
    /// [`Full`] when the buffer is over its bounds; `change` is kept all the same.
    pub fn take(&mut self, change: AccountChange) -> Result<(), Full> {
        match change {
            AccountChange::State(update) => self.keep(update.pubkey, Entry::State(update)),
            AccountChange::Gone(close) => self.keep(close.pubkey, Entry::Gone(close)),
            AccountChange::Unreadable(bad) => {
                let added = bad.raw.len().saturating_add(ENTRY_OVERHEAD);
                let old = self.unreadable.insert(bad.pubkey, *bad);
                let freed = old.map_or(0, |o| o.raw.len().saturating_add(ENTRY_OVERHEAD));
                self.bytes = self.bytes.saturating_add(added).saturating_sub(freed);
            }
        }
        let full = Full { accounts: self.len(), bytes: self.bytes };
        if full.accounts > self.most.accounts || full.bytes > self.most.bytes {
            return Err(full);
        }
        Ok(())
    }

    fn keep(&mut self, pubkey: Pubkey, entry: Entry) {
        let added = entry.bytes();
        let freed = match self.newest.get(&pubkey) {
            Some(kept) if kept.order() >= entry.order() => return,
            Some(kept) => kept.bytes(),
            None => 0,
        };
        self.newest.insert(pubkey, entry);
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.insert(pubkey);
            if arrivals.len() > self.most.accounts {
                self.arrivals = None;
            }
        }
        self.bytes = self.bytes.saturating_add(added).saturating_sub(freed);
    }

    /// Every message up to `progress` has been taken in.
    pub fn reached(&mut self, progress: StreamProgress) {
        self.progress = self.progress.max(progress);
    }

    /// How many accounts wait.
    #[must_use]
    pub fn len(&self) -> usize {
        [self.newest.len(), self.unreadable.len(), self.going.len(), self.going_unreadable.len()]
            .into_iter()
            .fold(0, usize::saturating_add)
    }

    /// Whether no account waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether [`Self::next`] has handed out only a part of what belongs together.
    #[must_use]
    pub fn is_parted(&self) -> bool {
        !self.going.is_empty()
    }

    /// Begins to count accounts anew: those that wait, and those that come.
    pub fn note_arrivals(&mut self) {
        let going = self.going.iter().map(|entry| match entry {
            Entry::State(update) => update.pubkey,
            Entry::Gone(close) => close.pubkey,
        });
        self.arrivals = Some(self.newest.keys().copied().chain(going).collect());
    }

    /// How many accounts waited at [`Self::note_arrivals`] or have come since; `None` when there
    /// were too many to count.
    #[must_use]
    pub fn arrivals(&self) -> Option<u64> {
        self.arrivals.as_ref().map(|a| u64::try_from(a.len()).unwrap_or(u64::MAX))
    }

    /// What is to be written next, `most` accounts at most, and how far the stream is complete once
    /// it is. Empty when nothing waits.
    pub fn next(&mut self, most: usize) -> (Batch, StreamProgress) {
        if self.going.is_empty() && self.going_unreadable.is_empty() {
            self.going = mem::take(&mut self.newest).into_values().collect();
            self.going_unreadable = mem::take(&mut self.unreadable).into_values().collect();
            self.going_progress = self.progress;
        }
        let mut batch = Batch::default();
        for entry in self.going.split_off(self.going.len().saturating_sub(most)) {
            self.bytes = self.bytes.saturating_sub(entry.bytes());
            match entry {
                Entry::State(update) => batch.updates.push(*update),
                Entry::Gone(close) => batch.closes.push(close),
            }
        }
        if self.going.is_empty() {
            for bad in self.going_unreadable.drain(..) {
                self.bytes =
                    self.bytes.saturating_sub(bad.raw.len().saturating_add(ENTRY_OVERHEAD));
                batch.quarantined.push(bad);
            }
            (batch, self.going_progress)
        } else {
            (batch, StreamProgress::default())
        }
    }
}

/// Whether `batch` can change which accounts are watched.
pub(super) fn moves_view(batch: &Batch) -> bool {
    let watched = |kind| {
        matches!(kind, AccountKind::Program | AccountKind::Proposal | AccountKind::Governance)
    };
    !batch.closes.is_empty() || batch.updates.iter().any(|u| watched(u.facets.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{AccountKind, Facets};

    fn state(n: u8, slot: u64, write_version: u64) -> AccountChange {
        let facets = Facets {
            kind: AccountKind::Multisig,
            program: None,
            proposal: None,
            account: None,
            status: None,
            version: None,
            tally: None,
        };
        let pubkey = Pubkey::new_from_array([n; 32]);
        let raw = vec![n; 100];
        AccountChange::State(Box::new(Update {
            pubkey,
            slot,
            write_version,
            facets,
            raw,
            data_hash: [n; 32],
        }))
    }

    fn gone(n: u8, slot: u64, write_version: u64) -> AccountChange {
        AccountChange::Gone(Close { pubkey: Pubkey::new_from_array([n; 32]), slot, write_version })
    }

    #[test]
    fn the_newest_state_is_written_whatever_arrived_last() {
        let mut write_buffer = WriteBuffer::default();
        for told in [state(1, 5, 1), state(1, 7, 3), state(1, 6, 4), gone(2, 9, 5), state(2, 8, 6)]
        {
            write_buffer.take(told).unwrap();
        }
        let (batch, _) = write_buffer.next(10);
        assert_eq!(
            batch.updates.iter().map(|u| (u.slot, u.write_version)).collect::<Vec<_>>(),
            [(7, 3)]
        );
        assert_eq!(batch.closes.iter().map(|c| c.slot).collect::<Vec<_>>(), [9]);
        assert!(write_buffer.is_empty() && write_buffer.bytes == 0);
    }

    #[test]
    fn progress_is_returned_only_with_the_last_part() {
        let mut write_buffer = WriteBuffer::default();
        for n in 1..=3 {
            write_buffer.take(state(n, 5, u64::from(n))).unwrap();
        }
        let progress = StreamProgress { confirmed: 5, root: 2 };
        write_buffer.reached(progress);
        let (first, early) = write_buffer.next(2);
        assert_eq!((first.updates.len(), early), (2, StreamProgress::default()));
        // What comes meanwhile does not hold it up, and is not taken for written.
        write_buffer.take(state(4, 6, 9)).unwrap();
        write_buffer.reached(StreamProgress { confirmed: 6, root: 3 });
        let (second, then) = write_buffer.next(2);
        assert_eq!((second.updates.len(), then), (1, progress));
        let (third, at_last) = write_buffer.next(2);
        assert_eq!((third.updates.len(), at_last), (1, StreamProgress { confirmed: 6, root: 3 }));
    }

    #[test]
    fn it_is_bounded_by_accounts_and_bytes_and_counts_an_account_once() {
        let mut few = WriteBuffer::bounded(Full { accounts: 2, bytes: usize::MAX });
        for slot in 1..100 {
            few.take(state(1, slot, 1)).unwrap();
        }
        few.take(state(2, 1, 1)).unwrap();
        assert_eq!(few.take(state(3, 1, 1)).unwrap_err().accounts, 3);
        let mut small = WriteBuffer::bounded(Full { accounts: 9, bytes: 1_100 });
        small.take(state(1, 1, 1)).unwrap();
        small.take(gone(1, 2, 1)).unwrap();
        small.take(state(2, 1, 1)).unwrap();
        assert!(small.take(state(3, 1, 1)).is_err());
    }
}
