//! Undoing slots gives the mirror that never received them.
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
