//! Running `cargo test` with its output passed on, and adding up the results of its test binaries.

use std::{
    fmt,
    io::{BufRead as _, BufReader},
    ops::AddAssign,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

/// Tests that passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Runs `tests`, a `cargo test`, and counts. A run that ends badly without a failed test (it does not
/// compile, or a test binary died) counts as one failure.
pub fn run(tests: &mut Command) -> Result<Counts> {
    let mut child = tests
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", tests.get_program().display()))?;
    let output = child.stdout.take().context("cargo test has no output")?;
    let mut counts = Counts::default();
    let mut reader = BufReader::new(output);
    let mut line = vec![];
    // Reads bytes, because a test may print invalid UTF-8.
    while reader.read_until(b'\n', &mut line).context("cannot read from cargo test")? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        if let Some(result) = parse(&text) {
            counts += result;
        }
        line.clear();
    }
    let status = child.wait().context("cannot wait for cargo test")?;
    if !status.success() && counts.failed == 0 {
        eprintln!("cargo test ended with {status} though no test says that it failed");
        counts.failed = 1;
    }
    Ok(counts)
}

/// The counts in a line `test result: ok. 5 passed; 0 failed; 1 ignored; …`.
fn parse(line: &str) -> Option<Counts> {
    let rest = line.trim_start().strip_prefix("test result: ")?;
    let number = |word: &str| {
        let (before, _) = rest.split_once(word)?;
        before.trim_end().rsplit([' ', ';']).next()?.parse().ok()
    };
    Some(Counts { passed: number(" passed;")?, failed: number(" failed;")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_added_up() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(parse(line), Some(Counts { passed: 12, failed: 3 }));
        assert_eq!(parse("test result_of ... ok"), None);
        assert_eq!(parse("test result: ok. many passed; 0 failed;"), None);
    }

    #[test]
    fn a_run_that_dies_counts_as_a_failure() {
        let script = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'; exit 101";
        let counts = run(Command::new("sh").args(["-c", script])).unwrap();
        assert_eq!(counts.to_string(), "2 passed, 1 failed");
    }
}
