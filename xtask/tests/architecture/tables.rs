//! Reads the Markdown tables that a comment `<!-- checked: NAME -->` announces. A cell that the test reads
//! names things in backticks; words outside backticks are for people, but for `all above`.

use std::collections::BTreeMap;

/// A row: its line in the document, and its cells.
#[derive(Clone, Debug)]
pub struct Row {
    pub line: usize,
    pub cells: Vec<String>,
}

impl Row {
    pub fn cell(&self, index: usize) -> &str {
        self.cells.get(index).map_or("", String::as_str)
    }

    /// What the cell names in backticks.
    pub fn names(&self, index: usize) -> Vec<String> {
        self.cell(index).split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }
}

/// The rows of every announced table, without its head.
pub fn tables(document: &str) -> BTreeMap<String, Vec<Row>> {
    let mut found: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let mut name: Option<String> = None;
    let mut seen = 0;
    for (index, line) in document.lines().enumerate() {
        if let Some(announced) =
            line.strip_prefix("<!-- checked: ").and_then(|l| l.strip_suffix(" -->"))
        {
            name = Some(announced.to_owned());
            seen = 0;
        } else if let (Some(name), true) = (&name, line.starts_with('|')) {
            seen += 1;
            if seen > 2 {
                let cells = line.trim_matches('|').split(" | ").map(|c| c.trim().to_owned());
                let row = Row { line: index + 1, cells: cells.collect() };
                found.entry(name.clone()).or_default().push(row);
            }
        } else if seen > 0 {
            name = None;
        }
    }
    found
}

/// For every name of the first column, what the last column allows it to use. `all above` stands for every
/// name of the rows before; names that share a row may not use each other.
pub fn allowed(rows: &[Row], column: usize) -> BTreeMap<String, (usize, Vec<String>)> {
    let mut found = BTreeMap::new();
    let mut above: Vec<String> = Vec::new();
    for row in rows {
        let mut uses = row.names(column);
        if row.cell(column).contains("all above") {
            uses.extend(above.iter().cloned());
        }
        let names = row.names(0);
        for name in &names {
            found.insert(name.clone(), (row.line, uses.clone()));
        }
        above.extend(names);
    }
    found
}

#[test]
fn all_above_is_every_row_before_and_not_the_own_one() {
    let text = "<!-- checked: t -->\n\n| a | b |\n|---|---|\n| `x` | nothing |\n| `y`, `z` | all above |\n";
    let tables = tables(text);
    let allowed = allowed(&tables["t"], 1);
    assert_eq!(allowed["x"], (5, vec![]));
    assert_eq!(allowed["z"], (6, vec!["x".to_owned()]));
}
