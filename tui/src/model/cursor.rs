//! The selection of a table. It stays on its item when rows are inserted or removed, so that a background update never
//! moves it to another proposal. Pure.

/// The selected item of a table, by identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor<K> {
    selected: Option<K>,
    /// The last row of the item, for when the item disappears.
    last: usize,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self { selected: None, last: 0 }
    }
}

impl<K: Clone + PartialEq> Cursor<K> {
    pub fn selected(&self) -> Option<&K> {
        self.selected.as_ref()
    }

    /// The row of the selected item in `ids`.
    pub fn index(&self, ids: &[K]) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        ids.iter().position(|id| id == selected)
    }

    /// After `ids` changed: keeps the item if it still exists, else selects the item at its last row.
    pub fn keep(&mut self, ids: &[K]) {
        let at = self.index(ids).unwrap_or_else(|| self.last.min(ids.len().saturating_sub(1)));
        self.last = at;
        self.selected = ids.get(at).cloned();
    }

    /// As [`Self::keep`], but a selection on the first row stays on the first row. For logs, newest first, whose rows no
    /// action signs anything about.
    pub fn keep_newest(&mut self, ids: &[K]) {
        if self.last == 0 {
            self.selected = None;
        }
        self.keep(ids);
    }

    /// Moves by `step` rows, within `ids`.
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
    fn a_log_stays_on_its_newest_row_until_the_selection_is_moved() {
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
