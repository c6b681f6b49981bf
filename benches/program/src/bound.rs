//! Bounds that figures must keep, and the table that says which are broken.
use serde::Serialize;

use crate::table::{Table, grouped};

/// Which side of its bound a figure must be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The figure may be as large as the bound.
    AtMost,
    /// The figure may be as small as the bound.
    AtLeast,
}

/// One bound with its figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// What is bounded, with its unit.
    pub what: String,
    /// Which side is right.
    pub side: Side,
    /// The bound.
    pub bound: u64,
    /// The figure; `None` when nothing was measured, which breaks the bound as well.
    pub measured: Option<u64>,
}

impl Bound {
    /// The largest of `figures` is `bound` at most.
    pub fn at_most(what: &str, bound: u64, figures: impl IntoIterator<Item = u64>) -> Self {
        let measured = figures.into_iter().max();
        Self { what: what.to_owned(), side: Side::AtMost, bound, measured }
    }

    /// The smallest of `figures` is `bound` at least.
    pub fn at_least(what: &str, bound: u64, figures: impl IntoIterator<Item = u64>) -> Self {
        let measured = figures.into_iter().min();
        Self { what: what.to_owned(), side: Side::AtLeast, bound, measured }
    }

    /// Whether the figure keeps it.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.measured.is_some_and(|figure| match self.side {
            Side::AtMost => figure <= self.bound,
            Side::AtLeast => figure >= self.bound,
        })
    }

    fn verdict(&self) -> &'static str {
        match (self.holds(), self.measured, self.side) {
            (true, ..) => "ok",
            (false, None, _) => "NOT MEASURED",
            (false, _, Side::AtMost) => "ABOVE",
            (false, _, Side::AtLeast) => "BELOW",
        }
    }

    /// The table of `bounds`.
    #[must_use]
    pub fn table(bounds: &[Self]) -> Table<4> {
        let mut table = Table::new("Bounds", ["figure", "", "bound", "measured"], 2);
        for bound in bounds {
            let side = match bound.side {
                Side::AtMost => "≤",
                Side::AtLeast => "≥",
            };
            table.row([
                bound.what.clone(),
                bound.verdict().to_owned(),
                format!("{side} {}", grouped(bound.bound)),
                bound.measured.map_or_else(|| "–".to_owned(), grouped),
            ]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_figure_is_held_against_the_bound() {
        assert!(Bound::at_most("units", 10, [9, 10]).holds());
        assert!(!Bound::at_most("units", 10, [1, 11]).holds());
        assert!(Bound::at_least("accounts", 10, [10, 30]).holds());
        assert!(!Bound::at_least("accounts", 10, [9, 30]).holds());
    }

    #[test]
    fn a_bound_without_a_measurement_is_not_kept() {
        assert!(!Bound::at_most("units", 10, []).holds());
        assert!(!Bound::at_least("units", 0, []).holds());
    }

    #[test]
    fn the_table_says_which_bound_is_broken_and_how() {
        let bounds = [
            Bound::at_most("units", 10_000, [9_999]),
            Bound::at_most("bytes", 10, [11]),
            Bound::at_least("accounts", 20, [3]),
            Bound::at_most("lost", 1, []),
        ];
        let text = Bound::table(&bounds).to_string();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        let has = |line: usize, word: &str| lines.get(line).is_some_and(|l| l.contains(word));
        assert!(has(0, "ok") && has(0, "≤ 10,000") && has(0, "9,999"), "{text}");
        assert!(has(1, "ABOVE") && has(2, "BELOW") && has(3, "NOT MEASURED"), "{text}");
    }
}
