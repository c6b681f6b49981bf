//! The controls of the manager: every `require!` in its sources, found by reading them, with the
//! number that the program gives it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

/// The macro that every rule of the manager is written with.
const MACRO: &str = "require!(";

/// The import of every file with controls. Without it the file would use the macro of the same name
/// in Anchor's prelude, which no mutation can switch off.
const IMPORT: &str = "use crate::runtime::require::require;";

/// One rule of the manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// The file, from the crate's `src` folder.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
    /// The number by which the program knows it.
    pub id: u32,
    /// The rule as it is written, in one line.
    pub rule: String,
    /// Name of the error when the rule does not hold.
    pub error: String,
    /// How many controls of the same text stand before it in the file.
    pub nth: usize,
}

impl Control {
    /// A name that does not depend on line numbers: file, rule, and its number among equal rules.
    pub fn key(&self) -> String {
        let nth = if self.nth == 0 { String::new() } else { format!(" #{}", self.nth + 1) };
        format!("{}: {}{nth}", self.file.display(), self.rule)
    }

    /// File and line.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

/// Every control under `source`, the manager's `src` folder.
pub fn find(source: &Path) -> Result<Vec<Control>> {
    let mut found = Vec::new();
    for file in files(source)? {
        let path = source.join(&file);
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let controls = in_file(&file, &text)?;
        let ours = controls.is_empty() || text.contains(IMPORT);
        ensure!(ours, "{} uses Anchor's `require!`; add `{IMPORT}`", file.display());
        found.extend(controls);
    }
    ensure!(!found.is_empty(), "no {MACRO}…) under {}", source.display());
    let mut ids: Vec<u32> = found.iter().map(|control| control.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ensure!(ids.len() == found.len(), "two controls have the same number: move one by a line");
    Ok(found)
}

/// The source files under `folder`, as paths from there, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut open = vec![PathBuf::new()];
    let mut files = Vec::new();
    while let Some(inside) = open.pop() {
        let path = folder.join(&inside);
        let entries =
            fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", path.display()))?;
            let name = inside.join(entry.file_name());
            if entry.path().is_dir() {
                open.push(name);
            } else if name.extension().is_some_and(|ending| ending == "rs") {
                files.push(name);
            }
        }
    }
    // The macro's own file mentions it in its docs, and tests have no controls.
    files.retain(|file| !file.ends_with("runtime/require.rs") && !file.ends_with("tests.rs"));
    files.sort();
    Ok(files)
}

fn in_file(file: &Path, text: &str) -> Result<Vec<Control>> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let module = module(file);
    let mut found: Vec<Control> = Vec::new();
    for (at, _) in text.match_indices(MACRO) {
        let before = &text[..at];
        let in_comment = before.rsplit('\n').next().is_some_and(|start| start.contains("//"));
        if in_comment {
            continue;
        }
        let line = u32::try_from(before.matches('\n').count() + 1).context("a very long file")?;
        let place = || format!("{}:{line}", file.display());
        let inside = enclosed(&text[at + MACRO.len()..])
            .with_context(|| format!("{} is not closed", place()))?;
        let (rule, error) = split(inside).with_context(|| format!("{} has no error", place()))?;
        let nth = found.iter().filter(|other| other.rule == rule).count();
        let id = upgrade_manager_id(&module, line);
        found.push(Control { file: file.to_path_buf(), line, id, rule, error, nth });
    }
    Ok(found)
}

/// The text up to the parenthesis that closes the one before `text`.
fn enclosed(text: &str) -> Option<&str> {
    let mut depth = 1u32;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text.get(..at);
        }
    }
    None
}

/// Rule and error of a control's arguments: the error is behind the last comma outside parentheses.
fn split(arguments: &str) -> Option<(String, String)> {
    let arguments = arguments.trim().trim_end_matches(',');
    let mut depth = 0i32;
    let mut comma = None;
    for (at, byte) in arguments.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => comma = Some(at),
            _ => {}
        }
    }
    let (rule, error) = arguments.split_at_checked(comma?)?;
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let error = one_line(error.trim_start_matches(','));
    Some((one_line(rule), error.rsplit("::").next().unwrap_or_default().to_owned()))
}

/// The module that a file holds: `state/votes.rs` is `upgrade_manager::state::votes`.
fn module(file: &Path) -> String {
    let mut parts: Vec<String> = vec!["upgrade_manager".to_owned()];
    parts.extend(file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()));
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts.join("::")
}

/// The number that the program gives a control: see `runtime/require.rs` there.
fn upgrade_manager_id(module: &str, line: u32) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    format!("{module}:{line}").bytes().fold(0x811c_9dc5, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
use x;
fn f() {
    // require!(not, this)
    require!(a == b(c, d), ManagerError::Wrong);
    require!(
        matches!(x, [a, b] if a < b),
        ManagerError::Order,
    );
    require!(a == b(c, d), ManagerError::Wrong);
}
#[cfg(test)]
mod tests { fn t() { require!(never, ManagerError::Never); } }
";

    #[test]
    fn every_control_outside_comments_and_tests_is_found_with_its_rule_and_error() {
        let found = in_file(Path::new("state/votes.rs"), SOURCE).unwrap();
        let short: Vec<_> =
            found.iter().map(|c| (c.line, c.rule.as_str(), c.error.as_str(), c.nth)).collect();
        let expected = [
            (4, "a == b(c, d)", "Wrong", 0),
            (5, "matches!(x, [a, b] if a < b)", "Order", 0),
            (9, "a == b(c, d)", "Wrong", 1),
        ];
        assert_eq!(short, expected);
        assert_eq!(found[2].key(), "state/votes.rs: a == b(c, d) #2");
        assert_eq!(found[0].place(), "state/votes.rs:4");
    }

    #[test]
    fn a_file_is_its_module() {
        assert_eq!(module(Path::new("state/votes.rs")), "upgrade_manager::state::votes");
        assert_eq!(module(Path::new("state/mod.rs")), "upgrade_manager::state");
        assert_eq!(module(Path::new("lib.rs")), "upgrade_manager");
    }

    #[test]
    fn numbers_are_those_of_the_program() {
        // FNV-1a 32 of "a:1", computed apart; the program tests the same definition.
        assert_eq!(upgrade_manager_id("a", 1), 0xdbbd_3e69);
        assert_ne!(upgrade_manager_id("a", 1), upgrade_manager_id("a", 11));
    }

    #[test]
    fn the_managers_own_sources_have_controls() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../programs/upgrade-manager/src");
        let found = find(&source).unwrap();
        assert!(found.iter().any(|control| control.error == "TimelockNotOver"));
    }
}
