//! Both stores have the same schema: numbers, names, tables, columns.
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use indexer::store::SCHEMA;

fn files(kind: &str) -> BTreeMap<String, String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(kind);
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// `table.column` of every table, and the names of views and indexes.
fn names(sql: &str) -> BTreeSet<String> {
    let (mut out, mut table) = (BTreeSet::new(), None);
    for line in sql.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (words.as_slice(), &table) {
            (["CREATE", "TABLE", name, ..], _) => table = Some((*name).to_owned()),
            (["ALTER", "TABLE", table, "ADD", "COLUMN", column, ..], _) => {
                out.insert(format!("{table}.{column}"));
            }
            (["CREATE", what @ ("VIEW" | "INDEX"), name, ..], _) => {
                out.insert(format!("{what} {name}"));
            }
            ([")", ..] | [");", ..], _) => table = None,
            ([column, ..], Some(table)) if line.starts_with("    ") => {
                out.insert(format!("{table}.{column}"));
            }
            _ => {}
        }
    }
    out
}

#[test]
fn both_stores_have_the_same_migrations_tables_and_columns() {
    let (sqlite, postgres) = (files("sqlite"), files("postgres"));
    let of = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(of(&sqlite), of(&postgres));
    // Compared as a whole: where Postgres adds a column, SQLite recreates the table.
    let all = |files: &BTreeMap<String, String>| {
        files.values().flat_map(|sql| names(sql)).collect::<BTreeSet<_>>()
    };
    assert_eq!(all(&sqlite), all(&postgres));
    assert!(names(&sqlite["0001_mirror.sql"]).contains("accounts.data_hash"));
    let newest = sqlite.keys().next_back().unwrap();
    assert!(newest.starts_with(&format!("{SCHEMA:04}_")), "{newest} is not number {SCHEMA}");
}
