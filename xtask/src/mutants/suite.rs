//! The tests that a switched-off control is shown to: the manager's unit tests, and the tests that
//! drive the real ELF. Compiled once; every control runs them again with another ELF.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{command, places::Places, suite::seed};
use anyhow::{Context as _, Result, ensure};

/// Beginnings of the names of the test files that drive the ELF.
const FILES: [&str; 3] = ["attack_", "controls_", "program_"];
/// Among them, what runs long and asks nothing that the others don't.
const LONG: [&str; 2] = ["program_model", "program_units"];
/// The name under which the unit tests go.
pub const UNIT: &str = "unit";

/// A compiled test file.
#[derive(Debug, Clone)]
struct Binary {
    path: PathBuf,
    tests: Vec<String>,
}

/// Every test, and where the errors are named that they expect.
#[derive(Debug)]
pub struct Suite {
    folder: PathBuf,
    binaries: BTreeMap<String, Binary>,
    /// Tests by the errors that their source names.
    by_error: BTreeMap<String, Vec<String>>,
}

impl Suite {
    /// Compiles the tests.
    pub fn build(places: &Places) -> Result<Self> {
        let unit = command::compiled(
            places,
            &["test", "-p", "upgrade-manager", "--lib", "--features", "mutants"],
        )?;
        let all = command::compiled(places, &["test", "-p", "e2e", "--tests"])?;
        let wanted =
            |name: &str| FILES.iter().any(|start| name.starts_with(start)) && !LONG.contains(&name);
        let mut binaries = BTreeMap::new();
        for (name, path) in all.into_iter().filter(|(name, _)| wanted(name)) {
            binaries.insert(name, Binary { tests: list(&path)?, path });
        }
        for (_, path) in unit {
            binaries.insert(UNIT.to_owned(), Binary { tests: list(&path)?, path });
        }
        ensure!(binaries.len() > 1, "no tests of the ELF in the package e2e");
        let folder = places.root.join("tests");
        let mut suite = Self { folder, binaries, by_error: BTreeMap::new() };
        suite.read_sources()?;
        Ok(suite)
    }

    /// How many tests there are.
    pub fn len(&self) -> usize {
        self.binaries.values().map(|binary| binary.tests.len()).sum()
    }

    /// The tests whose source names `error`, as `binary::test`.
    pub fn naming(&self, error: &str) -> &[String] {
        self.by_error.get(error).map(Vec::as_slice).unwrap_or_default()
    }

    /// The names of the test files, the quickest first.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let others = self.binaries.keys().map(String::as_str).filter(|name| *name != UNIT);
        std::iter::once(UNIT).chain(others)
    }

    /// Whether the test `binary::test` exists.
    pub fn has(&self, test: &str) -> bool {
        test.split_once("::").is_some_and(|(binary, name)| {
            self.binaries.get(binary).is_some_and(|b| b.tests.iter().any(|t| t == name))
        })
    }

    /// Runs one test; whether it failed.
    pub fn fails(&self, test: &str, with: &Surroundings) -> Result<bool> {
        let (binary, name) = test.split_once("::").context("a test without a file")?;
        Ok(!self.run(binary, &["--exact", name], with)?.is_empty())
    }

    /// Runs a whole file; the tests that failed.
    pub fn failures(&self, file: &str, with: &Surroundings) -> Result<Vec<String>> {
        let failed = self.run(file, &[], with)?;
        Ok(failed.into_iter().map(|name| format!("{file}::{name}")).collect())
    }

    fn run(&self, binary: &str, arguments: &[&str], with: &Surroundings) -> Result<Vec<String>> {
        let found = self.binaries.get(binary).with_context(|| format!("no test file {binary}"))?;
        let output = Command::new(&found.path)
            .args(arguments)
            .args(["--test-threads", "1"])
            .current_dir(&self.folder)
            .env("CONTROL_ROOM_ELF_DIR", &with.elf)
            .env("CONTROL_OFF", with.off.to_string())
            // What fails for want of a control is no regression to keep.
            .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")
            // The ledger must not depend on what a seed happens to find.
            .env(seed::VARIABLE, seed::USUAL.to_string())
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {}", found.path.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let failed: Vec<String> = text.lines().filter_map(failed_test).collect();
        if output.status.success() || !failed.is_empty() {
            return Ok(failed);
        }
        // The process died: that is noticed, too.
        Ok(vec!["(the test process died)".to_owned()])
    }

    /// Notes which test names which error, from the sources beside the binaries.
    fn read_sources(&mut self) -> Result<()> {
        for name in self.binaries.keys().filter(|name| *name != UNIT) {
            let path = self.folder.join("tests").join(name).with_extension("rs");
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            for (test, error) in named_errors(&text) {
                let tests = self.by_error.entry(error).or_default();
                let test = format!("{name}::{test}");
                if !tests.contains(&test) {
                    tests.push(test);
                }
            }
        }
        Ok(())
    }
}

/// What the tests of one control find around them.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The folder of ELFs.
    pub elf: PathBuf,
    /// The number of the control that is off, 0 for none.
    pub off: u32,
}

/// The tests in a binary.
fn list(binary: &Path) -> Result<Vec<String>> {
    let mut list = Command::new(binary);
    list.args(["--list", "--format", "terse"]);
    let text = command::text(&mut list, &format!("listing the tests in {}", binary.display()))?;
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

/// The test that a line `test NAME ... FAILED` names.
fn failed_test(line: &str) -> Option<String> {
    let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
    Some(name.trim_end_matches(" - should panic").to_owned())
}

/// Pairs of a test and an error that it names.
fn named_errors(source: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let (mut test, mut marked) = (None, false);
    for line in source.lines() {
        let line = line.trim();
        if line == "#[test]" {
            marked = true;
        } else if let Some(rest) = line.strip_prefix("fn ") {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            test = marked.then(|| name.to_owned());
            marked = false;
        }
        let Some(test) = &test else { continue };
        for word in line.split(|c: char| !c.is_alphanumeric()) {
            if word.starts_with(char::is_uppercase) {
                pairs.push((test.clone(), word.to_owned()));
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_names_the_errors_in_its_body() {
        let source = "\
fn helper() { ManagerError::Helper }
#[test]
fn one() {
    w.refuse(ManagerError::Expired, x);
}
#[test]
fn two() { w.refuse(E::Threshold, x) }
";
        let pairs = named_errors(source);
        let has = |test: &str, error: &str| pairs.contains(&(test.to_owned(), error.to_owned()));
        assert!(has("one", "Expired") && has("two", "Threshold"));
        assert!(!has("one", "Threshold") && !pairs.iter().any(|(_, error)| error == "Helper"));
    }

    #[test]
    fn failed_tests_are_read_from_the_output() {
        assert_eq!(failed_test("test a::b ... FAILED").as_deref(), Some("a::b"));
        assert_eq!(failed_test("test a::b ... ok"), None);
    }
}
