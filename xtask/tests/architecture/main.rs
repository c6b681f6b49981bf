//! Holds the sources to the tables of `docs/architecture.md` and `docs/glossary.md`: no arrow between crates
//! or modules that a table does not name, no circle of modules, no old name. Reads files only and links
//! nothing of the product, so it costs no compile time. `ARCHITECTURE_ROOT` points it at another checkout.

mod crates;
mod lexer;
mod modules;
mod names;
mod tables;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// One line of the report: where, and what is wrong there.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    file: String,
    line: usize,
    message: String,
}

impl Violation {
    fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, message: message.into() }
    }
}

fn root() -> PathBuf {
    match std::env::var_os("ARCHITECTURE_ROOT") {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
    }
}

/// The text of `path` under `root`.
fn read(root: &Path, path: &str) -> Result<String> {
    std::fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))
}

/// Every file under `folder`, relative to `root` and sorted. Hidden folders and `target` are left out.
fn files(root: &Path, folder: &str, extensions: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![root.join(folder)];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    open.push(path);
                }
            } else if extensions.iter().any(|e| path.extension().is_some_and(|x| x == *e)) {
                let path = path.strip_prefix(root).unwrap_or(&path);
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// `Err` with every violation, one a line.
fn report(mut violations: Vec<Violation>) -> Result<(), String> {
    if violations.is_empty() {
        return Ok(());
    }
    violations.sort();
    violations.dedup();
    let lines: Vec<String> =
        violations.iter().map(|v| format!("{}:{}: {}", v.file, v.line, v.message)).collect();
    Err(format!("{} violations\n{}", lines.len(), lines.join("\n")))
}

fn check(
    violations: impl FnOnce(&Path, &str) -> Result<Vec<Violation>>,
    document: &str,
) -> Result<(), String> {
    let root = root();
    let found = read(&root, document).and_then(|text| violations(&root, &text));
    report(found.map_err(|e| format!("{e:#}"))?)
}

#[test]
fn crates_use_only_what_the_table_names() {
    if let Err(found) = check(crates::violations, "docs/architecture.md") {
        panic!("docs/architecture.md does not allow: {found}");
    }
}

#[test]
fn modules_import_only_what_the_tables_name() {
    if let Err(found) = check(modules::violations, "docs/architecture.md") {
        panic!("docs/architecture.md does not allow: {found}");
    }
}

#[test]
fn old_names_are_gone() {
    if let Err(found) = check(names::violations, "docs/glossary.md") {
        panic!("docs/glossary.md has better names: {found}");
    }
}
