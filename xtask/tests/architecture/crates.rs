//! Arrows between the crates of the workspace, from every `Cargo.toml` and every path in the sources.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::lexer::{Kind, Language, Token, tokens};
use crate::tables::{Row, allowed, tables};
use crate::{Violation, files, read};

/// A member of the workspace.
pub struct Member {
    pub folder: String,
    pub name: String,
    /// Name of its library in paths.
    library: String,
    /// Section, name and line of each dependency.
    dependencies: Vec<(String, String, usize)>,
}

/// The members that the `Cargo.toml` at `root` names.
pub fn members(root: &Path) -> Result<Vec<Member>> {
    let manifest = read(root, "Cargo.toml")?;
    let listed = manifest.split_once("members = [").map_or("", |(_, rest)| rest);
    let listed = listed.split_once(']').map_or("", |(list, _)| list);
    let folders = listed.split('"').skip(1).step_by(2);
    folders
        .map(|folder| Ok(member(folder, &read(root, &format!("{folder}/Cargo.toml"))?)))
        .collect()
}

fn member(folder: &str, manifest: &str) -> Member {
    let (mut name, mut library, mut dependencies) = (String::new(), None, Vec::new());
    let mut section = String::new();
    for (index, line) in manifest.lines().enumerate() {
        if let Some(header) = line.strip_prefix('[').and_then(|l| l.split_once(']')) {
            section = header.0.trim_matches('[').to_owned();
            if let Some((kind, dependency)) = section.clone().rsplit_once('.')
                && kind.ends_with("dependencies")
            {
                dependencies.push((kind.to_owned(), dependency.to_owned(), index + 1));
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let key = key.trim().trim_end_matches(".workspace");
        let plain = !key.is_empty()
            && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let value = value.trim().trim_matches('"');
        match (section.as_str(), key) {
            ("package", "name") => value.clone_into(&mut name),
            ("lib", "name") => library = Some(value.to_owned()),
            (s, _) if s.ends_with("dependencies") && plain => {
                dependencies.push((s.to_owned(), key.to_owned(), index + 1));
            }
            _ => {}
        }
    }
    let library = library.unwrap_or_else(|| name.replace('-', "_"));
    Member { folder: folder.to_owned(), name, library, dependencies }
}

/// Columns of the table: crate, what it is, may use, its tests may also use, never (crates from outside).
const USES: usize = 2;
const TESTS_USE: usize = 3;
const NEVER: usize = 4;

/// What the table `crates` of `document` does not allow.
pub fn violations(root: &Path, document: &str) -> Result<Vec<Violation>> {
    let tables = tables(document);
    let rows = tables.get("crates").map_or(&[][..], Vec::as_slice);
    let members = members(root)?;
    let mut found = manifests(&members, rows);
    for member in &members {
        for file in files(root, &member.folder, &["rs"])? {
            if members.iter().any(|m| is_nested(&file, member, m)) {
                continue;
            }
            let tokens = tokens(&read(root, &file)?, Language::Rust);
            found.extend(paths(member, &members, rows, &file, &tokens));
        }
    }
    Ok(found)
}

/// Whether `file` belongs to `other`, a crate inside the folder of `member`.
fn is_nested(file: &str, member: &Member, other: &Member) -> bool {
    other.folder.starts_with(&format!("{}/", member.folder))
        && file.starts_with(&format!("{}/", other.folder))
}

fn manifests(members: &[Member], rows: &[Row]) -> Vec<Violation> {
    let mut found = Vec::new();
    let (uses, tests_use) = (allowed(rows, USES), allowed(rows, TESTS_USE));
    let never: BTreeMap<String, (usize, Vec<String>)> = allowed(rows, NEVER);
    for member in members {
        let file = format!("{}/Cargo.toml", member.folder);
        let Some((_, may)) = uses.get(&member.name) else {
            let message = format!("crate {} is not in the table of crates", member.name);
            found.push(Violation::new(&file, 1, message));
            continue;
        };
        for (section, dependency, line) in &member.dependencies {
            let ours = members.iter().find(|m| m.name == *dependency || m.library == *dependency);
            let in_tests = section.contains("dev-dependencies")
                && tests_use.get(&member.name).is_some_and(|(_, t)| t.contains(dependency));
            if let Some(ours) = ours
                && !may.contains(&ours.name)
                && !in_tests
            {
                let message = format!("crate {} may not use crate {}", member.name, ours.name);
                found.push(Violation::new(&file, *line, message));
            }
            if never.get(&member.name).is_some_and(|(_, n)| n.contains(dependency)) {
                let message = format!("crate {} may never use {dependency}", member.name);
                found.push(Violation::new(&file, *line, message));
            }
        }
    }
    for (name, (line, _)) in &uses {
        if !members.iter().any(|m| m.name == *name) {
            let message = format!("the workspace has no crate {name}");
            found.push(Violation::new("docs/architecture.md", *line, message));
        }
    }
    found
}

/// Paths that begin with the library of another member. A crate that the manifest does not name cannot be
/// meant: then the word is a module.
fn paths(
    member: &Member,
    members: &[Member],
    rows: &[Row],
    file: &str,
    tokens: &[Token],
) -> Vec<Violation> {
    let (uses, tests_use) = (allowed(rows, USES), allowed(rows, TESTS_USE));
    let may = |name: &String| {
        [&uses, &tests_use]
            .iter()
            .any(|t| t.get(&member.name).is_some_and(|(_, u)| u.contains(name)))
    };
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let head = token.kind == Kind::Word
            && tokens.get(index + 1).is_some_and(|t| t.is("::"))
            && !(index > 0 && tokens[index - 1].is("::"));
        let used = members.iter().find(|m| head && m.library == token.text);
        if let Some(used) = used
            && used.name != member.name
            && uses.contains_key(&member.name)
            && member.dependencies.iter().any(|(_, d, _)| *d == used.name || *d == used.library)
            && !may(&used.name)
        {
            let message = format!("crate {} may not use crate {}", member.name, used.name);
            found.push(Violation::new(file, token.line, message));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "<!-- checked: crates -->\n| crate | is | may use | tests | never |\n|---|---|---|---|---|\n\
        | `low` | a | nothing | nothing | nothing |\n| `high-crate` | b | `low` | nothing | `ratatui` |\n";

    #[test]
    fn a_planted_dependency_is_caught_in_the_manifest_and_in_the_sources() {
        let low = member(
            "low",
            "[package]\nname = \"low\"\n[dependencies]\nhigh-crate.workspace = true\n",
        );
        let high = member(
            "high",
            "[package]\nname = \"high-crate\"\n[dependencies]\nlow = { path = \"../low\" }\nratatui = \"1\"\n",
        );
        let members = [low, high];
        let rows = &tables(TABLE)["crates"];
        let found: Vec<(usize, String)> =
            manifests(&members, rows).into_iter().map(|v| (v.line, v.message)).collect();
        assert_eq!(
            found,
            [
                (4, "crate low may not use crate high-crate".to_owned()),
                (5, "crate high-crate may never use ratatui".to_owned()),
            ]
        );
        let source =
            tokens("mod x;\nuse high_crate::Y;\nuse crate::high_crate::Z;", Language::Rust);
        let found = paths(&members[0], &members, rows, "low/src/lib.rs", &source);
        assert_eq!(found.iter().map(|v| v.line).collect::<Vec<_>>(), [2]);
    }
}
