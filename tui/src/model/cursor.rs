//! A selection that follows the thing, not the row: background updates never move it to another
//! proposal. Pure.

/// The selected item of a table, by identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor<K> {
    selected: Option<K>,
    /// Where it was last, for the case that the item disappears.
    last: usize,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self { selected: None, last: 0 }
    }
}

impl<K: Clone + PartialEq> Cursor<K> {
    /// The selected item.
    pub fn selected(&self) -> Option<&K> {
        self.selected.as_ref()
    }

    /// Where the selected item is among `ids`.
    pub fn index(&self, ids: &[K]) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        ids.iter().position(|id| id == selected)
    }

    /// After `ids` changed: keeps the item where it exists, else takes the neighbour of its last
    /// place.
    pub fn keep(&mut self, ids: &[K]) {
        let at = self.index(ids).unwrap_or_else(|| self.last.min(ids.len().saturating_sub(1)));
        self.last = at;
        self.selected = ids.get(at).cloned();
    }

    /// As [`Self::keep`], but who reads the newest row goes on reading the newest row. For lists
    /// that nothing is done to, newest first.
    pub fn keep_newest(&mut self, ids: &[K]) {
        if self.last == 0 {
            self.selected = None;
        }
        self.keep(ids);
    }

    /// Moves by `step` rows, staying within `ids`.
    pub fn step(&mut self, ids: &[K], step: isize) {
        self.keep(ids);
        let at = self.last.saturating_add_signed(step).min(ids.len().saturating_sub(1));
        self.last = at;
        self.selected = ids.get(at).cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_insertion_above_does_not_move_the_selection_to_another_item() {
        let mut cursor = Cursor::default();
        cursor.keep(&["b", "c"]);
        cursor.step(&["b", "c"], 1);
        cursor.keep(&["a", "b", "c"]);
        assert_eq!(cursor.selected(), Some(&"c"));
    }

    #[test]
    fn when_the_item_disappears_its_neighbour_is_selected() {
        let mut cursor = Cursor::default();
        cursor.step(&["a", "b", "c"], 2);
        cursor.keep(&["a", "b"]);
        assert_eq!(cursor.selected(), Some(&"b"));
        cursor.keep(&[]);
        assert_eq!(cursor.selected(), None);
        cursor.keep(&["x"]);
        assert_eq!(cursor.selected(), Some(&"x"));
    }

    #[test]
    fn a_log_follows_its_newest_row_until_somebody_moves() {
        let mut log = Cursor::default();
        log.keep_newest(&[1]);
        log.keep_newest(&[2, 1]);
        assert_eq!(log.selected(), Some(&2));
        log.step(&[2, 1], 1);
        log.keep_newest(&[3, 2, 1]);
        assert_eq!(log.selected(), Some(&1));
    }

    proptest! {
        #[test]
        fn the_selection_is_always_one_of_the_items(lists in prop::collection::vec((prop::collection::vec(0u8..9, 0..6), -9isize..9), 1..12)) {
            let mut cursor = Cursor::default();
            for (ids, step) in lists {
                cursor.step(&ids, step);
                prop_assert_eq!(cursor.selected().is_some(), !ids.is_empty());
                if let Some(id) = cursor.selected() {
                    prop_assert!(ids.contains(id));
                }
            }
        }
    }
}
