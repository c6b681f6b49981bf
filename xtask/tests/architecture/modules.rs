//! Arrows between the top-level modules of each crate: those the tables `modules of CRATE` do not name,
//! circles, and imports of what the crate root only re-exports. Code under `#[cfg(test)]` does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

use crate::crates::members;
use crate::lexer::{Kind, Language, Token, tokens};
use crate::tables::{Row, allowed, tables};
use crate::{Violation, files, read};

/// From module, to module → where the first such path stands.
type Arrows = BTreeMap<(String, String), (String, usize)>;

/// A file of a crate and the module it holds, `[]` for the crate root.
struct Source {
    file: String,
    module: Vec<String>,
    tokens: Vec<Token>,
}

/// A path out of a module: its module, the first name under the crate root, the line.
struct Reference {
    from: String,
    to: String,
    line: usize,
}

/// What the tables of `document` do not allow, and circles.
pub fn violations(root: &Path, document: &str) -> Result<Vec<Violation>> {
    let tables = tables(document);
    let mut found = Vec::new();
    for member in members(root)? {
        let sources = sources(root, &format!("{}/src", member.folder))?;
        let rows = tables.get(&format!("modules of {}", member.name)).map(Vec::as_slice);
        found.extend(in_crate(&sources, rows));
    }
    Ok(found)
}

fn sources(root: &Path, folder: &str) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    for file in files(root, folder, &["rs"])? {
        let path = file.trim_start_matches(folder).trim_start_matches('/');
        let mut module: Vec<String> =
            path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|m| m == "mod") || path == "lib.rs" || path == "main.rs" {
            module.pop();
        }
        let tokens = tokens(&read(root, &file)?, Language::Rust);
        found.push(Source { file, module, tokens });
    }
    Ok(found)
}

fn in_crate(sources: &[Source], rows: Option<&[Row]>) -> Vec<Violation> {
    let top: BTreeSet<&String> = sources.iter().filter_map(|s| s.module.first()).collect();
    let re_exported: BTreeSet<String> =
        sources.iter().filter(|s| s.module.is_empty()).flat_map(|s| imported(&s.tokens)).collect();
    let test_modules: Vec<Vec<String>> = sources.iter().flat_map(test_modules).collect();
    let is_test = |m: &[String]| test_modules.iter().any(|t| m.starts_with(t));
    let mut found = Vec::new();
    let mut arrows = Arrows::new();
    for source in sources.iter().filter(|s| !is_test(&s.module)) {
        for reference in references(&source.tokens, &source.module) {
            if reference.from == reference.to || !top.contains(&reference.from) {
                continue;
            }
            let place = (source.file.clone(), reference.line);
            if top.contains(&reference.to) {
                arrows.entry((reference.from, reference.to)).or_insert(place);
            } else if re_exported.contains(&reference.to) {
                let message = format!(
                    "import {} from where it is defined, not from the crate root",
                    reference.to
                );
                found.push(Violation::new(&place.0, place.1, message));
            }
        }
    }
    found.extend(circles(&arrows));
    if let Some(rows) = rows {
        let is_top_test = |m: &String| is_test(std::slice::from_ref(m));
        let modules: Vec<&String> = top.into_iter().filter(|m| !is_top_test(m)).collect();
        found.extend(against_table(sources, &modules, &arrows, rows));
    }
    found
}

fn against_table(
    sources: &[Source],
    modules: &[&String],
    arrows: &Arrows,
    rows: &[Row],
) -> Vec<Violation> {
    let allowed = allowed(rows, 2);
    let mut found = Vec::new();
    for ((from, to), (file, line)) in arrows {
        if let Some((_, uses)) = allowed.get(from)
            && !uses.contains(to)
        {
            found.push(Violation::new(
                file,
                *line,
                format!("module {from} may not use module {to}"),
            ));
        }
    }
    for module in modules.iter().filter(|m| !allowed.contains_key(**m)) {
        let file = sources.iter().find(|s| s.module.first() == Some(module));
        let message = format!("module {module} is not in the table of its crate");
        found.push(Violation::new(file.map_or("", |s| &s.file), 1, message));
    }
    for (name, (line, _)) in &allowed {
        if !modules.contains(&name) {
            let message = format!("the crate has no module {name}");
            found.push(Violation::new("docs/architecture.md", *line, message));
        }
    }
    found
}

/// Every arrow whose end leads back to its beginning.
fn circles(arrows: &Arrows) -> Vec<Violation> {
    let mut found = Vec::new();
    for ((from, to), (file, line)) in arrows {
        if let Some(back) = way(arrows, to, from) {
            let message = format!("circle of modules: {from} → {}", back.join(" → "));
            found.push(Violation::new(file, *line, message));
        }
    }
    found
}

/// The shortest way from `start` to `end`, both included.
fn way(arrows: &Arrows, start: &str, end: &str) -> Option<Vec<String>> {
    let mut ways = std::collections::VecDeque::from([vec![start.to_owned()]]);
    let mut seen = BTreeSet::from([start.to_owned()]);
    while let Some(path) = ways.pop_front() {
        let here = path.last()?;
        if here == end {
            return Some(path);
        }
        for (_, to) in arrows.keys().filter(|(from, _)| from == here) {
            if seen.insert(to.clone()) {
                ways.push_back(path.iter().cloned().chain([to.clone()]).collect());
            }
        }
    }
    None
}

/// Paths that begin with `crate::`, or with as many `super::` as lead to the crate root.
fn references(tokens: &[Token], module: &[String]) -> Vec<Reference> {
    let mut found = Vec::new();
    let tests = test_items(tokens);
    let mut blocks: Vec<Option<String>> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.is("{") {
            let named = index >= 2 && tokens[index - 2].is("mod");
            blocks.push(named.then(|| tokens[index - 1].text.clone()));
        } else if token.is("}") {
            blocks.pop();
        }
        let begins = !(index > 0 && tokens[index - 1].is("::"));
        if tests[index] || !begins || !(token.is("crate") || token.is("super")) {
            continue;
        }
        let here: Vec<&String> = module.iter().chain(blocks.iter().flatten()).collect();
        let mut end = index;
        let mut depth = here.len();
        while tokens.get(end + 1).is_some_and(|t| t.is("::")) {
            match tokens.get(end) {
                Some(t) if t.is("crate") => depth = 0,
                Some(t) if t.is("super") => depth = depth.saturating_sub(1),
                _ => break,
            }
            end += 2;
        }
        if let (Some(from), 0, true) = (here.first(), depth, end > index) {
            let heads = heads(tokens, end);
            found.extend(heads.into_iter().map(|(to, line)| Reference {
                from: (*from).clone(),
                to,
                line,
            }));
        }
    }
    found
}

/// The first names of the path or group of paths that begins at `start`.
fn heads(tokens: &[Token], start: usize) -> Vec<(String, usize)> {
    let Some(first) = tokens.get(start) else { return Vec::new() };
    if !first.is("{") {
        return vec![(first.text.clone(), first.line)];
    }
    let mut found = Vec::new();
    let mut depth = 0_usize;
    for (offset, token) in tokens[start..].iter().enumerate() {
        if token.is("{") {
            depth += 1;
        } else if token.is("}") {
            depth -= 1;
        }
        let before = &tokens[(start + offset).saturating_sub(1)];
        if depth == 1 && token.kind == Kind::Word && (before.is("{") || before.is(",")) {
            found.push((token.text.clone(), token.line));
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// The names that the `use` lines of a crate root bring into it. An alias of a module of its own is a name
/// that the root defines.
fn imported(tokens: &[Token]) -> Vec<String> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let (mut inside, mut path) = (false, false);
    for (index, token) in tokens.iter().enumerate() {
        if !inside {
            depth = match token.text.as_str() {
                "{" if token.kind == Kind::Mark => depth + 1,
                "}" if token.kind == Kind::Mark => depth.saturating_sub(1),
                _ => depth,
            };
        }
        if depth == 0 && token.is("use") {
            inside = true;
            path = false;
        }
        inside &= !token.is(";");
        path |= token.is("::");
        let ends = tokens.get(index + 1).is_some_and(|t| t.is(",") || t.is("}") || t.is(";"));
        if inside && path && ends && token.kind == Kind::Word && !token.is("self") {
            found.push(token.text.clone());
        }
    }
    found
}

/// For each token, whether it stands in an item under `#[cfg(test)]` or a `#[cfg]` that holds only in tests.
fn test_items(tokens: &[Token]) -> Vec<bool> {
    let mut marked = vec![false; tokens.len()];
    let mut index = 0;
    while index < tokens.len() {
        match item_of_test_attribute(tokens, index) {
            Some(end) => {
                marked[index..end].fill(true);
                index = end;
            }
            None => index += 1,
        }
    }
    marked
}

/// The end of the item whose `#[cfg(test)]` begins at `start`.
fn item_of_test_attribute(tokens: &[Token], start: usize) -> Option<usize> {
    let texts = |n: usize| tokens.get(start + n).map_or("", |t| t.text.as_str());
    if [texts(0), texts(1), texts(2), texts(3)] != ["#", "[", "cfg", "("] {
        return None;
    }
    let close = start + tokens[start..].iter().position(|t| t.is("]"))?;
    let condition = &tokens[start..close];
    let for_tests = condition.iter().any(|t| t.is("test"))
        && !condition.iter().any(|t| t.is("not") || t.is("any"));
    if !for_tests {
        return None;
    }
    let mut depth = 0_usize;
    let mut end = close + 1;
    while let Some(token) = tokens.get(end) {
        end += 1;
        if token.is("{") || token.is("(") || token.is("[") {
            depth += 1;
        } else if token.is("}") || token.is(")") || token.is("]") {
            depth = depth.saturating_sub(1);
            if depth == 0 && token.is("}") {
                break;
            }
        } else if depth == 0 && (token.is(";") || token.is(",")) {
            break;
        }
    }
    Some(end)
}

/// Modules with files of their own that are declared under `#[cfg(test)]`.
fn test_modules(source: &Source) -> Vec<Vec<String>> {
    let marked = test_items(&source.tokens);
    let declared = source.tokens.windows(3).zip(&marked).filter(|(w, marked)| {
        **marked && w[0].is("mod") && w[1].kind == Kind::Word && w[2].is(";")
    });
    declared
        .map(|(w, _)| source.module.iter().cloned().chain([w[1].text.clone()]).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(files: &[(&str, &str)], table: Option<&str>) -> Vec<String> {
        let sources: Vec<Source> = files
            .iter()
            .map(|(module, text)| Source {
                file: format!("src/{module}.rs"),
                module: module.split('/').filter(|m| !m.is_empty()).map(str::to_owned).collect(),
                tokens: tokens(text, Language::Rust),
            })
            .collect();
        let head = "<!-- checked: t -->\n| module | holds | may use |\n|---|---|---|\n";
        let tables = table.map(|t| tables(&format!("{head}{t}")));
        let rows = tables.as_ref().map(|t| t["t"].as_slice());
        let found = in_crate(&sources, rows).into_iter();
        found.map(|v| format!("{}:{} {}", v.file, v.line, v.message)).collect()
    }

    #[test]
    fn a_planted_import_is_caught_with_its_line() {
        let table = Some("| `low` | x | nothing |\n| `high` | y | all above |\n");
        let fine = [("low", "fn f() {}"), ("high", "use crate::low::f;")];
        assert!(messages(&fine, table).is_empty());
        let planted = [("low", "\nfn f() { crate::{x, high::g()} }"), ("high", "")];
        assert_eq!(messages(&planted, table), ["src/low.rs:2 module low may not use module high"]);
        let planted = [("low/deep", "mod m { use super::super::super::high; }"), ("high", "")];
        assert_eq!(
            messages(&planted, table),
            ["src/low/deep.rs:1 module low may not use module high"]
        );
    }

    #[test]
    fn a_planted_circle_is_caught_without_a_table() {
        let files = [("a", "use crate::b::X;"), ("b", "use super::c;"), ("c", "crate::a::f()")];
        assert_eq!(
            messages(&files, None),
            [
                "src/a.rs:1 circle of modules: a → b → c → a",
                "src/b.rs:1 circle of modules: b → c → a → b",
                "src/c.rs:1 circle of modules: c → a → b → c",
            ]
        );
    }

    #[test]
    fn an_import_in_a_test_module_makes_no_arrow() {
        let files = [
            ("", "#[cfg(test)]\nmod fixtures;"),
            ("a", "use crate::b::X;"),
            ("b", "#[cfg(test)] mod tests { use crate::a::Y; }\n#[cfg(test)] mod more;"),
            ("b/more", "use crate::a::Y;"),
            ("fixtures", "use crate::a::Y;"),
        ];
        assert!(messages(&files, None).is_empty());
    }

    #[test]
    fn an_import_of_a_re_export_of_the_root_is_caught() {
        let files = [
            ("", "pub use a::{X, y::Z as W};\nfn own() {}"),
            ("a", ""),
            ("b", "use crate::{W, own};"),
        ];
        assert_eq!(
            messages(&files, None),
            ["src/b.rs:1 import W from where it is defined, not from the crate root"]
        );
    }

    #[test]
    fn a_module_without_a_row_and_a_row_without_a_module_are_caught() {
        let found = messages(&[("a", "")], Some("| `b` | x | nothing |\n"));
        assert_eq!(
            found,
            [
                "src/a.rs:1 module a is not in the table of its crate",
                "docs/architecture.md:4 the crate has no module b",
            ]
        );
    }
}
