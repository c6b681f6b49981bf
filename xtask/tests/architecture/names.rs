//! Old names in the sources, from the left column of the table `old names` in `docs/glossary.md`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::lexer::{Kind, Language, Token, tokens};
use crate::tables::{Row, tables};
use crate::{Violation, files, read};

/// Words that stand before the name of a thing that is defined.
const DEFINES: [&str; 10] =
    ["mod", "struct", "enum", "trait", "fn", "type", "const", "static", "union", "macro_rules"];

/// Identifiers that the table `old names` of `document` replaces.
pub fn violations(root: &Path, document: &str) -> Result<Vec<Violation>> {
    let tables = tables(document);
    let rows = tables.get("old names").map_or(&[][..], Vec::as_slice);
    let mut found = Vec::new();
    for file in files(root, "", &["rs", "sql"])? {
        let language = if file.ends_with(".sql") { Language::Sql } else { Language::Rust };
        found.extend(in_file(&file, &tokens(&read(root, &file)?, language), rows));
        for part in file.trim_end_matches(".rs").split('/') {
            let row =
                rows.iter().find(|r| applies(r, &file) && r.names(0).iter().any(|n| n == part));
            if let Some(row) = row {
                let message = format!("a file or folder {part}: say {}", row.cell(3));
                found.push(Violation::new(&file, 1, message));
            }
        }
    }
    Ok(found)
}

fn applies(row: &Row, file: &str) -> bool {
    let places = row.names(2);
    places.is_empty() || places.iter().any(|p| file == p || file.starts_with(&format!("{p}/")))
}

/// Old name → kind and new name: the one at its place where a row has as many new names as old ones.
type OldNames<'a> = BTreeMap<String, (&'a str, String)>;

fn in_file(file: &str, tokens: &[Token], rows: &[Row]) -> Vec<Violation> {
    let mut old = OldNames::new();
    for row in rows.iter().filter(|r| applies(r, file)) {
        let (names, now) = (row.names(0), row.names(3));
        for (at, name) in names.iter().enumerate() {
            let one = now.get(at).filter(|_| now.len() == names.len()).cloned();
            let now = one.unwrap_or_else(|| row.cell(3).to_owned());
            old.insert(name.clone(), (row.cell(1), now));
        }
    }
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        for (name, now) in hits(&old, tokens, index) {
            found.push(Violation::new(file, token.line, format!("{name}: say {now}")));
        }
    }
    found
}

/// The old names at `index`, each with its new one.
fn hits<'a>(old: &'a OldNames, tokens: &[Token], index: usize) -> Vec<(String, &'a str)> {
    let token = &tokens[index];
    let look = |word: &str, kinds: &[&str]| {
        old.get(word)
            .filter(|(kind, _)| kinds.contains(kind))
            .map(|(_, now)| (word.to_owned(), now.as_str()))
    };
    if token.kind == Kind::Text {
        let words = token.text.split(|c: char| !c.is_alphanumeric() && c != '_');
        return words.filter_map(|w| look(w, &["text"])).collect();
    }
    if token.kind != Kind::Word {
        return Vec::new();
    }
    let whole = match is_definition(tokens, index) {
        true => look(&token.text, &["word", "text", "definition"]),
        false => look(&token.text, &["word", "text"]),
    };
    whole.into_iter().chain(parts(&token.text).iter().filter_map(|p| look(p, &["part"]))).collect()
}

fn is_definition(tokens: &[Token], index: usize) -> bool {
    let before = tokens[..index].iter().rev().take(2).find(|t| !t.is("!"));
    before.is_some_and(|t| t.kind == Kind::Word && DEFINES.contains(&t.text.as_str()))
}

/// `TeamScene` and `team_scene` are `team` and `scene`.
fn parts(identifier: &str) -> Vec<String> {
    let mut found = Vec::new();
    for piece in identifier.split('_') {
        let mut part = String::new();
        let mut lower_before = false;
        for c in piece.chars() {
            if c.is_uppercase() && lower_before {
                found.push(std::mem::take(&mut part));
            }
            lower_before = c.is_lowercase();
            part.extend(c.to_lowercase());
        }
        found.push(part);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(source: &str, kind: &str, place: &str) -> Vec<usize> {
        let table = format!(
            "<!-- checked: old names -->\n| old | kind | where | now |\n|-|-|-|-|\n| `gate` | {kind} | {place} | x |\n"
        );
        let tokens = tokens(source, Language::Rust);
        in_file("indexer/src/a.rs", &tokens, &tables(&table)["old names"])
            .into_iter()
            .map(|v| v.line)
            .collect()
    }

    const SOURCE: &str =
        "mod gate;\nlet gate = 1;\nstruct OpenGate;\n// gate\nlet x = \"a gate\";\ngates";

    #[test]
    fn a_planted_name_is_caught_as_its_kind_says() {
        assert_eq!(lines(SOURCE, "word", "everywhere"), [1, 2]);
        assert_eq!(lines(SOURCE, "definition", "everywhere"), [1]);
        assert_eq!(lines(SOURCE, "part", "everywhere"), [1, 2, 3]);
        assert_eq!(lines(SOURCE, "text", "everywhere"), [1, 2, 5]);
    }

    #[test]
    fn the_new_name_is_the_one_at_the_same_place() {
        let table = "<!-- checked: old names -->\n| old | kind | where | now |\n|-|-|-|-|\n\
            | `a`, `gate` | word | everywhere | `b`, `rate_limiter` |\n";
        let found = in_file("a.rs", &tokens("gate()", Language::Rust), &tables(table)["old names"]);
        assert_eq!(found, [Violation::new("a.rs", 1, "gate: say rate_limiter")]);
    }

    #[test]
    fn a_row_holds_only_where_it_says() {
        assert_eq!(lines(SOURCE, "definition", "`indexer`"), [1]);
        assert!(lines(SOURCE, "definition", "`backend`").is_empty());
    }

    #[test]
    fn a_macro_definition_is_a_definition() {
        assert_eq!(lines("macro_rules! gate { () => {} }", "definition", "all"), [1]);
    }
}
