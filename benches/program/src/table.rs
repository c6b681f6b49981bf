//! A table of text: the first columns to the left, the others, which are numbers, to the right.
use std::fmt;

/// A heading, the names of the columns, and the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table<const N: usize> {
    heading: String,
    columns: [&'static str; N],
    /// How many columns hold words.
    words: usize,
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// An empty table, the first `words` columns of which hold words.
    #[must_use]
    pub fn new(heading: impl Into<String>, columns: [&'static str; N], words: usize) -> Self {
        Self { heading: heading.into(), columns, words, rows: vec![] }
    }

    /// Puts a row behind the others.
    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns.map(str::to_owned);
        let rows = || std::iter::once(&columns).chain(&self.rows);
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = rows().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        });
        writeln!(f, "{}", self.heading)?;
        for row in rows() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                line += &if column < self.words {
                    format!("  {cell:<width$}")
                } else {
                    format!("  {cell:>width$}")
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// `number` with a comma between thousands.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in (1..=digits.len()).rev().zip(digits.chars()) {
        text.push(digit);
        if place > 1 && place % 3 == 1 {
            text.push(',');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_to_the_left_and_numbers_to_the_right() {
        let mut table = Table::new("Figures", ["what", "case", "units"], 2);
        table.row(["approve".into(), "first".into(), grouped(9_050)]);
        table.row(["x".into(), String::new(), grouped(7)]);
        let lines = ["Figures", "  what     case   units", "  approve  first  9,050", "  x"];
        let text = table.to_string();
        for (found, wanted) in text.lines().zip(lines) {
            assert!(found.starts_with(wanted), "{text}");
        }
        assert_eq!(text.lines().last(), Some("  x                   7"), "{text}");
    }

    #[test]
    fn thousands_are_grouped() {
        let texts = [0, 999, 1_000, 12_345, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
