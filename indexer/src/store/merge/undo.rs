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
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        account::{AccountKind, Facets, Update},
        store::{
            merge::{Bounds, KnownRow, newest, plan},
            types::Close,
        },
    };

    const KEY: Pubkey = Pubkey::new_from_array([1; 32]);
    /// Writes above this slot can be undone.
    const ROOT: u64 = 3;

    /// One event of an account's history.
    #[derive(Clone, Copy, Debug)]
    enum What {
        Written(u8),
        Gone,
        /// A snapshot, with the account or without it.
        Read(Option<u8>),
    }

    /// One account of a store, and its part of the undo log.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct One {
        row: Option<Image>,
        log: BTreeMap<u64, Option<Image>>,
    }

    fn image(slot: u64, write_version: u64, content: u8) -> Image {
        Image {
            kind: "MultisigConfig".into(),
            program: None,
            proposal: None,
            account: None,
            status: None,
            version: None,
            data_hash: [content; 32],
            raw: vec![content],
            slot,
            write_version,
            closed_slot: None,
        }
    }

    fn state(slot: u64, write_version: u64, content: u8) -> Update {
        let facets = Facets {
            kind: AccountKind::Multisig,
            program: None,
            proposal: None,
            account: None,
            status: None,
            version: None,
            tally: None,
        };
        Update {
            pubkey: KEY,
            slot,
            write_version,
            facets,
            raw: vec![content],
            data_hash: [content; 32],
        }
    }

    impl One {
        /// Applies `what` as a store does; returns whether it concerned the account.
        fn take(&mut self, slot: u64, write_version: u64, what: What) -> bool {
            let (updates, closes) = match what {
                What::Written(content) => (vec![state(slot, write_version, content)], vec![]),
                What::Gone => (vec![], vec![Close { pubkey: KEY, slot, write_version }]),
                What::Read(Some(content)) => (vec![state(slot, 0, content)], vec![]),
                What::Read(None) => {
                    let live = self.row.as_mut().filter(|row| row.closed_slot.is_none());
                    return live.map(|row| row.closed_slot = Some(slot)).is_some();
                }
            };
            let known = self.row.as_ref().map(|row| KnownRow {
                slot: row.slot,
                write_version: row.write_version,
                closed: row.closed_slot.is_some(),
                data_hash: row.data_hash,
                tally: None,
            });
            let known: HashMap<_, _> = known.map(|k| (KEY, k)).into_iter().collect();
            let bounds = Bounds { floor: 0, root: ROOT };
            let plan = plan(bounds, newest(updates, closes).0, &known);
            for (slot, _) in &plan.keep {
                self.log.entry(*slot).or_insert_with(|| self.row.clone());
            }
            for write in &plan.writes {
                self.row = Some(image(write.slot, write.write_version, write.raw[0]));
            }
            for (_, slot, write_version) in &plan.touches {
                let row = self.row.as_mut().unwrap();
                (row.slot, row.write_version) = (*slot, *write_version);
            }
            for (slot, _) in &plan.keep_then {
                self.log.entry(*slot).or_insert_with(|| self.row.clone());
            }
            for close in &plan.closes {
                let row = self.row.as_mut().unwrap();
                (row.slot, row.write_version, row.closed_slot) =
                    (close.slot, close.write_version, Some(close.slot));
            }
            assert_eq!(plan.stale, 0);
            true
        }

        fn undo(&mut self, orphaned: &BTreeSet<u64>) {
            let done = unwind(self.row.as_ref(), &self.log, orphaned);
            match done.row {
                UndoneRow::Unchanged => {}
                UndoneRow::Restored(image) => self.row = Some(*image),
                UndoneRow::Removed => self.row = None,
            }
            for (slot, image) in done.inherit {
                assert!(self.log.insert(slot, image).is_some(), "only entries that are there");
            }
            self.log.retain(|slot, _| !orphaned.contains(slot));
        }

        /// Content, and whether it is closed.
        fn seen(&self) -> Option<(u8, bool)> {
            self.row.as_ref().map(|row| (row.raw[0], row.closed_slot.is_some()))
        }
    }

    fn history(story: &[(u64, What)]) -> One {
        let mut one = One::default();
        for (write_version, (slot, what)) in (1..).zip(story) {
            one.take(*slot, write_version, *what);
        }
        one
    }

    fn what() -> impl Strategy<Value = What> {
        prop_oneof![
            5 => (0u8..3).prop_map(What::Written),
            1 => Just(What::Gone),
            1 => prop::option::of(0u8..3).prop_map(What::Read),
        ]
    }

    /// Slots above the root, in any order.
    fn orphaned() -> impl Strategy<Value = Vec<u64>> {
        let slots = prop::collection::btree_set(ROOT + 1..14, 0..6);
        slots.prop_map(|slots| slots.into_iter().collect::<Vec<u64>>()).prop_shuffle()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn undoing_slots_gives_the_mirror_that_never_received_them(
            mut story in prop::collection::vec((1u64..14, what()), 0..14),
            orphaned in orphaned(),
            at_once in 1usize..6,
        ) {
            // A snapshot of a slot comes before the stream's writes in that slot.
            story.sort_by_key(|(slot, what)| (*slot, !matches!(what, What::Read(_))));
            // One snapshot a slot.
            let read = |what: &What| matches!(what, What::Read(_));
            story.dedup_by(|b, a| a.0 == b.0 && read(&a.1) && read(&b.1));
            // A node never reports an account as both live and closed in one slot.
            story.dedup_by(|b, a| a.0 == b.0 && matches!(b.1, What::Gone));
            let mut real = One::default();
            let mut heard = vec![];
            for (write_version, (slot, what)) in (1..).zip(&story) {
                // A snapshot without an account that is closed already changes nothing.
                if real.take(*slot, write_version, *what) {
                    heard.push((*slot, *what));
                }
            }
            let stays = |slot: &u64, what: &What| {
                matches!(what, What::Read(_)) || !orphaned.contains(slot)
            };
            heard.retain(|(slot, what)| stays(slot, what));
            let mut at_a_time = real.clone();
            for some in orphaned.chunks(at_once) {
                at_a_time.undo(&some.iter().copied().collect());
            }
            real.undo(&orphaned.iter().copied().collect());
            let expected = history(&heard);
            prop_assert_eq!(real.seen(), expected.seen());
            prop_assert_eq!(&at_a_time.row, &real.row);
            for log in [&real.log, &at_a_time.log] {
                prop_assert!(log.keys().all(|slot| !orphaned.contains(slot)));
            }
        }
    }

    #[test]
    fn an_account_first_seen_in_an_orphaned_slot_is_removed_from_row_and_log() {
        let mut one = history(&[(10, What::Written(1)), (11, What::Written(2))]);
        one.undo(&BTreeSet::from([10]));
        assert_eq!(one.seen(), Some((2, false)));
        assert_eq!(one.log, BTreeMap::from([(11, None)]));
        one.undo(&BTreeSet::from([11]));
        assert_eq!(one, One::default());
    }

    #[test]
    fn a_snapshots_close_survives_the_undoing_of_the_state_that_it_closed() {
        let story = [(2, What::Written(1)), (10, What::Written(2)), (12, What::Read(None))];
        let mut one = history(&story);
        one.undo(&BTreeSet::from([10]));
        let row = one.row.unwrap();
        assert_eq!((row.raw[0], row.slot, row.closed_slot), (1, 2, Some(12)));
    }

    #[test]
    fn a_snapshots_close_survives_undoing_the_state_it_closed_and_then_the_close_before_it() {
        // Found by the property test above.
        let story =
            [(1, What::Written(0)), (6, What::Gone), (9, What::Written(0)), (10, What::Read(None))];
        for calls in [vec![vec![6, 9]], vec![vec![9], vec![6]], vec![vec![6], vec![9]]] {
            let mut one = history(&story);
            for slots in &calls {
                one.undo(&slots.iter().copied().collect());
            }
            let row = one.row.unwrap();
            assert_eq!((row.raw[0], row.slot, row.closed_slot), (0, 1, Some(10)), "{calls:?}");
            assert_eq!(one.log, BTreeMap::new());
        }
    }

    #[test]
    fn a_snapshots_close_survives_below_several_closes_and_inside_the_log() {
        let story = [
            (1, What::Written(0)),
            (5, What::Gone),
            (6, What::Gone),
            (9, What::Written(1)),
            (10, What::Read(None)),
            (12, What::Written(2)),
        ];
        for order in [[9, 6, 5, 12], [9, 5, 12, 6], [12, 9, 6, 5], [5, 9, 6, 12]] {
            let mut one = history(&story);
            for slot in order {
                one.undo(&BTreeSet::from([slot]));
            }
            let row = one.row.unwrap();
            assert_eq!((row.raw[0], row.slot, row.closed_slot), (0, 1, Some(10)), "{order:?}");
        }
    }

    #[test]
    fn undoing_a_close_reopens_the_row() {
        let mut one = history(&[(2, What::Written(1)), (10, What::Gone)]);
        assert_eq!(one.seen(), Some((1, true)));
        one.undo(&BTreeSet::from([10]));
        assert_eq!(one.seen(), Some((1, false)));
    }
}
