//! The tests that run against each mutation: the manager's unit tests, and the tests that drive the
//! real ELF. They are compiled once and run for every control with another ELF.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{command, paths::Paths, test::seed};
use anyhow::{Context as _, Result, anyhow};

/// The test binary that drives the ELF.
const BINARY: &str = "program";
/// The slow file among its sources, which checks no control that the others do not check.
const LONG: &str = "lifecycle::units";
/// The name under which the unit tests go.
pub const UNIT: &str = "unit";

/// Every test, and where the errors are named that they expect. A test of the ELF is called as the
/// binary calls it (`attacks::votes::NAME`, of the file `attacks::votes`), a unit test
/// `unit::NAME`.
#[derive(Debug)]
pub struct TestBinaries {
    folder: PathBuf,
    elf_tests: PathBuf,
    unit_tests: PathBuf,
    /// Tests by the file they stand in.
    files: BTreeMap<String, Vec<String>>,
    /// Tests by the errors that their source names.
    by_error: BTreeMap<String, Vec<String>>,
}

impl TestBinaries {
    /// Compiles the tests.
    pub fn build(paths: &Paths) -> Result<Self> {
        let unit_tests = only(command::compiled(
            paths,
            &["test", "-p", "upgrade-manager", "--lib", "--features", "mutants"],
        )?)?;
        let elf_tests = only(command::compiled(paths, &["test", "-p", "e2e", "--test", BINARY])?)?;
        let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for test in list(&elf_tests)? {
            let file = file_of(&test).with_context(|| format!("the test {test} has no file"))?;
            if file != LONG {
                files.entry(file.to_owned()).or_default().push(test);
            }
        }
        let unit = list(&unit_tests)?.into_iter().map(|name| format!("{UNIT}::{name}")).collect();
        files.insert(UNIT.to_owned(), unit);
        let folder = paths.root.join("tests");
        let mut binaries = Self { folder, elf_tests, unit_tests, files, by_error: BTreeMap::new() };
        binaries.read_sources()?;
        Ok(binaries)
    }

    /// How many tests there are.
    pub fn len(&self) -> usize {
        self.files.values().map(Vec::len).sum()
    }

    /// The tests whose source names `error`, by their full names.
    pub fn naming(&self, error: &str) -> &[String] {
        self.by_error.get(error).map(Vec::as_slice).unwrap_or_default()
    }

    /// The names of the test files, the quickest first.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let others = self.files.keys().map(String::as_str).filter(|name| *name != UNIT);
        std::iter::once(UNIT).chain(others)
    }

    /// Whether there is a test with this full name.
    pub fn has(&self, test: &str) -> bool {
        self.files.values().flatten().any(|known| known == test)
    }

    /// Runs one test; whether it failed.
    pub fn fails(&self, test: &str, env: &TestEnv) -> Result<bool> {
        let failed = match test.split_once("::") {
            Some((UNIT, name)) => self.run(&self.unit_tests, &["--exact", name], env)?,
            _ => self.run(&self.elf_tests, &["--exact", test], env)?,
        };
        Ok(!failed.is_empty())
    }

    /// Runs a whole file; the tests that failed.
    pub fn failures(&self, file: &str, env: &TestEnv) -> Result<Vec<String>> {
        if file == UNIT {
            let failed = self.run(&self.unit_tests, &[], env)?;
            return Ok(failed.into_iter().map(|name| format!("{UNIT}::{name}")).collect());
        }
        self.run(&self.elf_tests, &[&format!("{file}::")], env)
    }

    fn run(&self, binary: &Path, arguments: &[&str], env: &TestEnv) -> Result<Vec<String>> {
        let output = Command::new(binary)
            .args(arguments)
            .args(["--test-threads", "1"])
            .current_dir(&self.folder)
            .env("CONTROL_ROOM_ELF_DIR", &env.elf)
            .env("CONTROL_OFF", env.off.to_string())
            // A failure under a mutation is no regression that proptest should keep.
            .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")
            // The ledger must not depend on what a seed happens to find.
            .env(seed::VARIABLE, seed::DEFAULT.to_string())
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let failed: Vec<String> = text.lines().filter_map(failed_test).collect();
        if output.status.success() || !failed.is_empty() {
            return Ok(failed);
        }
        // A test process that died counts as a failure.
        Ok(vec!["(the test process died)".to_owned()])
    }

    /// Notes which test names which error, from the sources of the binary.
    fn read_sources(&mut self) -> Result<()> {
        for file in self.files.keys().filter(|file| *file != UNIT) {
            let source = file.replace("::", "/");
            let path = self.folder.join("tests").join(BINARY).join(source).with_extension("rs");
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            for (test, error) in named_errors(&text) {
                let tests = self.by_error.entry(error).or_default();
                let test = format!("{file}::{test}");
                if !tests.contains(&test) {
                    tests.push(test);
                }
            }
        }
        Ok(())
    }
}

/// The one binary that was compiled.
fn only(compiled: Vec<(String, PathBuf)>) -> Result<PathBuf> {
    let [(_, path)] = <[_; 1]>::try_from(compiled)
        .map_err(|several| anyhow!("{} test binaries instead of one", several.len()))?;
    Ok(path)
}

/// The file of a test of the ELF: folder and module, the first two parts of its name.
fn file_of(test: &str) -> Option<&str> {
    let (second, _) = test.match_indices("::").nth(1)?;
    test.get(..second)
}

/// The environment of the tests for one control.
#[derive(Debug, Clone)]
pub struct TestEnv {
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
    fn the_file_of_a_test_is_its_folder_and_module() {
        assert_eq!(file_of("attacks::votes::attack_11"), Some("attacks::votes"));
        assert_eq!(file_of("attacks::votes::cases::late"), Some("attacks::votes"));
        assert_eq!(file_of("attacks::votes"), None);
    }

    #[test]
    fn failed_tests_are_read_from_the_output() {
        assert_eq!(failed_test("test a::b ... FAILED").as_deref(), Some("a::b"));
        assert_eq!(failed_test("test a::b ... ok"), None);
    }
}
