//! `cargo xtask idl`: the programs' interface descriptions in `idl/`, as `anchor idl build` makes them,
//! without Anchor's command line.
//!
//! With the feature `idl-build`, Anchor's macros add tests that print the parts of a description
//! between marked lines. This runs those tests on the host, puts the parts together, and writes the
//! result or compares it with what is committed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::ExitCode,
};

use anchor_lang_idl_spec::{Idl, IdlTypeDef};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{atomic_dir, cli, command, paths::Paths, progress::Progress};

/// A program that has a description.
struct Described {
    package: &'static str,
    file: &'static str,
}

const PROGRAMS: [Described; 2] = [
    Described { package: "upgrade-manager", file: "upgrade_manager.json" },
    Described { package: "demo-vault", file: "demo_vault.json" },
];

/// The name that the tests of Anchor's macros start with.
const PRINTING_TESTS: &str = "__anchor_private_print_idl";

/// The command.
pub fn run(options: &cli::Idl) -> Result<ExitCode> {
    let (paths, progress) = (Paths::find()?, Progress::start());
    if options.check {
        check(&paths, &progress)?;
        println!("the committed descriptions are what the programs say");
        return Ok(ExitCode::SUCCESS);
    }
    atomic_dir::create(&paths.root.join("idl"))?;
    for program in &PROGRAMS {
        let path = program.path(&paths);
        fs::write(&path, program.text(&paths, &progress)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("wrote {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails where the committed description differs from the programs.
pub fn check(paths: &Paths, progress: &Progress) -> Result<()> {
    for program in &PROGRAMS {
        let path = program.path(paths);
        let committed = fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}: run `cargo xtask idl` and commit it", path.display())
        })?;
        let current = program.text(paths, progress)?;
        if let Some((number, old, new)) = first_difference(&committed, &current) {
            bail!(
                "{} is not what the program says now: run `cargo xtask idl` and commit it. The first \
                 difference is in line {number}:\n  committed: {old}\n  now:       {new}",
                path.display()
            );
        }
    }
    Ok(())
}

/// The number of the first line that differs, and both versions of it.
fn first_difference<'a>(old: &'a str, new: &'a str) -> Option<(usize, &'a str, &'a str)> {
    let (mut old, mut new) = (old.lines(), new.lines());
    for number in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (left, right) if left == right => {}
            (left, right) => {
                let end = "(the end)";
                return Some((number, left.unwrap_or(end), right.unwrap_or(end)));
            }
        }
    }
    None
}

impl Described {
    fn path(&self, paths: &Paths) -> PathBuf {
        paths.root.join("idl").join(self.file)
    }

    /// The description as a file's content.
    fn text(&self, paths: &Paths, progress: &Progress) -> Result<String> {
        progress.say(&format!("compiling {} to describe it", self.package));
        // A separate target folder: the macros depend on these variables, so cargo would recompile
        // everything that uses them whenever the variables change.
        let mut cargo = command::isolated_cargo(&paths.idl_target());
        cargo
            .args(["test", "--lib", "--locked", "--package", self.package])
            .args(["--features", "idl-build", PRINTING_TESTS])
            .args(["--", "--show-output", "--quiet", "--test-threads=1"])
            .env("ANCHOR_IDL_BUILD_RESOLUTION", "TRUE")
            .env("ANCHOR_IDL_BUILD_NO_DOCS", "FALSE")
            .env("ANCHOR_IDL_BUILD_SKIP_LINT", "FALSE")
            .env("ANCHOR_IDL_BUILD_PROGRAM_PATH", paths.root.join("programs").join(self.package))
            .current_dir(&paths.root);
        let printed = command::text(&mut cargo, &format!("describing {}", self.package))?;
        let idl = assemble(&printed)
            .with_context(|| format!("Anchor's description of {} is not usable", self.package))?;
        let text = serde_json::to_string_pretty(&idl).context("cannot write the description")?;
        Ok(text + "\n")
    }
}

/// The description whose parts a run of the tests printed.
fn assemble(printed: &str) -> Result<Idl> {
    let mut whole = one(printed, "program")?.context("no test printed the program")?;
    let mut types = BTreeMap::new();
    let mut events = vec![];
    for mut part in parts(printed, "event")? {
        add_types(&mut types, &mut part)?;
        events.push(part.get("event").cloned().context("an event without its content")?);
    }
    // Two parts that name a type mean the same type.
    add_types(&mut types, &mut whole)?;
    let types: Vec<Value> = types.into_values().collect();
    let fields = whole.as_object_mut().context("the program is not an object")?;
    fields
        .insert("address".into(), one(printed, "address")?.context("no test printed the address")?);
    fields.insert("events".into(), events.into());
    fields.insert("types".into(), types.into());
    fields.insert("constants".into(), parts(printed, "const")?.into());
    fields.insert("errors".into(), one(printed, "errors")?.unwrap_or_else(|| Value::Array(vec![])));
    shorten(&mut whole);
    let mut idl: Idl =
        serde_json::from_value(whole).context("it does not follow the specification of IDLs")?;
    idl.accounts.sort_by(|a, b| a.name.cmp(&b.name));
    idl.constants.sort_by(|a, b| a.name.cmp(&b.name));
    idl.events.sort_by(|a, b| a.name.cmp(&b.name));
    idl.instructions.sort_by(|a, b| a.name.cmp(&b.name));
    idl.types.sort_by(|a, b| a.name.cmp(&b.name));
    require_distinct(&idl)?;
    Ok(idl)
}

/// The parts that were printed under `name`.
fn parts(printed: &str, name: &str) -> Result<Vec<Value>> {
    let (begin, end) = (format!("--- IDL begin {name} ---"), format!("--- IDL end {name} ---"));
    let mut found = vec![];
    let mut open: Option<String> = None;
    for line in printed.lines() {
        if line == begin {
            open = Some(String::new());
        } else if line == end {
            let text = open.take().with_context(|| format!("`{end}` comes without its begin"))?;
            found.push(serde_json::from_str(&text).with_context(|| format!("{name} is no JSON"))?);
        } else if let Some(text) = &mut open {
            text.push_str(line);
            text.push('\n');
        }
    }
    if open.is_some() {
        bail!("`{begin}` comes without its end");
    }
    Ok(found)
}

/// The part under `name`, if there is one.
fn one(printed: &str, name: &str) -> Result<Option<Value>> {
    let mut found = parts(printed, name)?;
    if found.len() > 1 {
        bail!("{name} was printed {} times", found.len());
    }
    Ok(found.pop())
}

/// Moves the `types` of `part` into `all`.
fn add_types(all: &mut BTreeMap<String, Value>, part: &mut Value) -> Result<()> {
    let Some(Value::Array(types)) = part.get_mut("types").map(Value::take) else { return Ok(()) };
    for kind in types {
        let IdlTypeDef { name, .. } =
            serde_json::from_value(kind.clone()).context("a type is not of the specification")?;
        all.insert(name, kind);
    }
    Ok(())
}

/// Replaces every path `a::b::Name` by its last part, where that is not the last part of two paths.
fn shorten(whole: &mut Value) {
    let mut paths = BTreeSet::new();
    each_text(whole, &mut |text| {
        if last_part(text).is_some() {
            paths.insert(text.clone());
        }
    });
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for name in paths.iter().filter_map(|path| last_part(path)) {
        *uses.entry(name.to_owned()).or_default() += 1;
    }
    each_text(whole, &mut |text| {
        if let Some(name) = last_part(text).map(str::to_owned)
            && uses.get(&name) == Some(&1)
        {
            *text = name;
        }
    });
}

/// `Name` of `a::b::Name`, if `text` is such a path and nothing else.
fn last_part(text: &str) -> Option<&str> {
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let (start, name) = text.rsplit_once("::")?;
    (is_name(name) && start.split("::").all(is_name)).then_some(name)
}

/// Every text in `value`, the names of fields apart.
fn each_text(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, visit)),
        Value::Object(fields) => fields.values_mut().for_each(|field| each_text(field, visit)),
        _ => {}
    }
}

/// No two instructions, accounts or events may start with the same bytes.
fn require_distinct(idl: &Idl) -> Result<()> {
    distinct(idl.instructions.iter().map(|one| (one.name.as_str(), one.discriminator.as_slice())))?;
    distinct(idl.accounts.iter().map(|one| (one.name.as_str(), one.discriminator.as_slice())))?;
    distinct(idl.events.iter().map(|one| (one.name.as_str(), one.discriminator.as_slice())))
}

fn distinct<'a>(all: impl Iterator<Item = (&'a str, &'a [u8])> + Clone) -> Result<()> {
    for (name, bytes) in all.clone() {
        if bytes.iter().all(|byte| *byte == 0) {
            bail!("the discriminator of {name} is empty or all zeros");
        }
        let mut others = all.clone().filter(|(other, _)| *other != name);
        if let Some((other, _)) = others.find(|(_, start)| bytes.starts_with(start)) {
            bail!("{name} and {other} start with the same discriminator");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the tests of a program print, with `program` in it.
    fn printed(program: &str, events: &str) -> String {
        format!(
            "running 2 tests\n--- IDL begin address ---\n\"1111\"\n--- IDL end address ---\n{events}\
             --- IDL begin program ---\n{program}\n--- IDL end program ---\n"
        )
    }

    fn program(instructions: &str, types: &str) -> String {
        format!(
            "{{\"address\":\"\",\"metadata\":{{\"name\":\"p\",\"version\":\"1\",\"spec\":\"0.1.0\"}},\
             \"instructions\":[{instructions}],\"types\":[{types}]}}"
        )
    }

    fn kind(name: &str) -> String {
        format!("{{\"name\":\"{name}\",\"type\":{{\"kind\":\"struct\",\"fields\":[]}}}}")
    }

    fn instruction(name: &str, byte: u8) -> String {
        format!("{{\"name\":\"{name}\",\"discriminator\":[{byte},1],\"accounts\":[],\"args\":[]}}")
    }

    #[test]
    fn the_parts_make_one_description_in_a_fixed_order() {
        let instructions = [instruction("b", 1), instruction("a", 2)].join(",");
        let event = format!(
            "--- IDL begin event ---\n{{\"event\":{{\"name\":\"E\",\"discriminator\":[7]}},\"types\":[{}]}}\n\
             --- IDL end event ---\n",
            kind("E")
        );
        let types = [kind("p::x::T"), kind("E")].join(",");
        let idl = assemble(&printed(&program(&instructions, &types), &event)).unwrap();
        assert_eq!(idl.address, "1111");
        let names: Vec<_> = idl.instructions.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        let names: Vec<_> = idl.types.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["E", "T"]);
        assert_eq!(idl.events.len(), 1);
    }

    #[test]
    fn paths_stay_where_their_last_parts_are_the_same() {
        let types = [kind("p::x::T"), kind("p::y::T"), kind("p::z::U")].join(",");
        let idl = assemble(&printed(&program("", &types), "")).unwrap();
        let names: Vec<_> = idl.types.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["U", "p::x::T", "p::y::T"]);
        assert_eq!(last_part("see a::b"), None);
        assert_eq!(last_part("a::"), None);
    }

    #[test]
    fn cut_off_missing_or_ambiguous_parts_are_refused() {
        assert!(assemble("").is_err());
        let whole = printed(&program("", ""), "");
        assert!(assemble(whole.trim_end_matches("--- IDL end program ---\n")).is_err());
        let same = [instruction("a", 1), instruction("b", 1)].join(",");
        let error = assemble(&printed(&program(&same, ""), "")).unwrap_err().to_string();
        assert!(error.contains("same discriminator"), "{error}");
    }

    #[test]
    fn the_first_difference_is_named_by_its_line() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some((2, "b", "c")));
        assert_eq!(first_difference("a\n", "a\nc\n"), Some((2, "(the end)", "c")));
    }
}
