//! Undoes stream writes of orphaned slots. Pure.
//!
//! The undo log holds, for each slot above the root and each account that the stream wrote in it, the
//! row before the first such write. So the log of one account is a chain: the current row came from
//! its slot, and the entry of that slot holds the row before. Removing a slot from the chain replaces
//! its state, wherever a later entry holds a copy of it, by the state before it. Writes of a snapshot
//! are not in the log; only another snapshot corrects them. Slots may be removed in one call or in
//! several, in any order: the resulting row is the same.
use std::collections::{BTreeMap, BTreeSet};

use super::rows::tally;
use crate::account::Tally;
use solana_pubkey::Pubkey;

/// One row with all its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Name of the account type.
    pub kind: String,
    /// The target program.
    pub program: Option<Pubkey>,
    /// The proposal it belongs to.
    pub proposal: Option<Pubkey>,
    /// The account, buffer or multisig it is about.
    pub account: Option<Pubkey>,
    /// Name of its status, phase or role.
    pub status: Option<String>,
    /// Version it holds, or leads to.
    pub version: Option<u16>,
    /// sha256 of its bytes.
    pub data_hash: [u8; 32],
    /// Its bytes.
    pub raw: Vec<u8>,
    /// Slot of that state.
    pub slot: u64,
    /// Order within the slot.
    pub write_version: u64,
    /// Slot at which it was found closed: `slot` itself if the stream said so, else a later one.
    pub closed_slot: Option<u64>,
}

impl Image {
    /// The counter that the row belongs to, if any.
    #[must_use]
    pub fn counted(&self) -> Option<Tally> {
        let open = self.closed_slot.is_none();
        tally(&self.kind, self.program, self.proposal, self.status.as_deref()).filter(|_| open)
    }

    /// The slot of a snapshot that lacked the account.
    fn missed_at(&self) -> Option<u64> {
        self.closed_slot.filter(|closed| *closed > self.slot)
    }

    /// Whether the stream, or a read by address, closed it.
    fn is_closed_by_stream(&self) -> bool {
        self.closed_slot == Some(self.slot)
    }

    /// The row once a snapshot at `slot` has lacked the account.
    fn missed(mut self, slot: Option<u64>) -> Self {
        self.closed_slot = self.closed_slot.or(slot);
        self
    }
}

/// What undoing slots does to a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UndoneRow {
    /// Its state is not from an orphaned slot.
    Unchanged,
    /// It gets this earlier state.
    Restored(Box<Image>),
    /// It is deleted: the account was first seen in an orphaned slot.
    Removed,
}

/// What undoing slots does to one account. The caller deletes the entries of those slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwound {
    /// Its row.
    pub row: UndoneRow,
    /// Entries of remaining slots whose content changes: slot, and the row before that slot.
    pub inherit: Vec<(u64, Option<Image>)>,
}

/// Removes the `orphaned` slots from the history of one account: its `row`, and its `entries` of the
/// undo log by slot. Orphaned slots without an entry have no effect.
#[must_use]
pub fn unwind(
    row: Option<&Image>,
    entries: &BTreeMap<u64, Option<Image>>,
    orphaned: &BTreeSet<u64>,
) -> Unwound {
    let mut real = Real::default();
    // The entries of slots that stay.
    let mut log = BTreeMap::new();
    for (slot, kept) in entries {
        let before = kept.as_ref().and_then(|kept| real.of(kept, *slot));
        if orphaned.contains(slot) {
            real.before.insert(*slot, before);
            continue;
        }
        if before != *kept {
            real.shifted.insert(*slot, (kept.as_ref().map(|k| k.data_hash), before.clone()));
        }
        log.insert(*slot, before);
    }
    let undone_row = match row {
        Some(row) => match real.of(row, u64::MAX) {
            Some(image) if image == *row => UndoneRow::Unchanged,
            Some(image) => UndoneRow::Restored(Box::new(image)),
            None => UndoneRow::Removed,
        },
        None => UndoneRow::Unchanged,
    };
    for (slot, missed) in real.hidden {
        close_below(&mut log, slot, missed);
    }
    let inherit = log.into_iter().filter(|(slot, now)| entries.get(slot) != Some(now)).collect();
    Unwound { row: undone_row, inherit }
}

/// Closes the row from before the close of `slot` at `missed`. A snapshot at `missed` lacked the account,
/// and the row that it closed is gone from the chain; without this, undoing `slot` in a later call would
/// bring the account back to life.
fn close_below(log: &mut BTreeMap<u64, Option<Image>>, mut slot: u64, missed: u64) {
    while let Some(Some(below)) = log.get_mut(&slot) {
        if !below.is_closed_by_stream() || below.slot >= slot {
            below.closed_slot = below.closed_slot.or(Some(missed));
            return;
        }
        slot = below.slot;
    }
}

/// The history without the orphaned slots, built while walking up through the slots.
#[derive(Default)]
struct Real {
    /// The row before each orphaned slot.
    before: BTreeMap<u64, Option<Image>>,
    /// The row before each remaining slot whose log entry is now wrong, with the hash of the content in
    /// that entry.
    shifted: BTreeMap<u64, (Option<[u8; 32]>, Option<Image>)>,
    /// Stream closes that become the row again although a snapshot had closed a later, now undone
    /// row: slot of the close, slot of the snapshot.
    hidden: Vec<(u64, u64)>,
}

impl Real {
    /// The true state for `image`, the row before the first stream write of `slot`. A state that a
    /// snapshot at `slot` itself wrote is true as it is.
    fn of(&mut self, image: &Image, slot: u64) -> Option<Image> {
        if let Some(earlier) = self.before.get(&image.slot).filter(|_| image.slot < slot) {
            let (earlier, missed) = (earlier.clone()?, image.missed_at());
            // A row has one `closed_slot`. The stream's close may be undone later, so the snapshot's
            // is remembered for the log.
            if let Some(missed) = missed.filter(|_| earlier.is_closed_by_stream()) {
                self.hidden.push((earlier.slot, missed));
            }
            return Some(earlier.missed(missed));
        }
        // A close copies the content of the state before it, so that content is replaced too.
        match self.shifted.get(&image.slot) {
            Some((hash, earlier))
                if image.is_closed_by_stream() && *hash == Some(image.data_hash) =>
            {
                let Image { slot, write_version, closed_slot, .. } = *image;
                earlier.clone().map(|earlier| Image { slot, write_version, closed_slot, ..earlier })
            }
            _ => Some(image.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
