//! The committed list of the manager's controls: beside each the test that fails without it, or why
//! none can. `programs/upgrade-manager/controls.tsv`, one control a line, three columns.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::controls::Control;

const HEAD: &str = "\
# Every control of the manager, and the test that fails without it; written by `cargo xtask mutants`.
# control <tab> killed <tab> test, or: control <tab> explained <tab> why no test can notice.
";

/// The result for one control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This test fails without it: `binary::test`.
    Killed(String),
    /// No test can notice, for this reason.
    Explained(String),
}

/// The results of all controls, by [`Control::key`].
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    verdicts: BTreeMap<String, Verdict>,
}

impl Ledger {
    pub fn path(root: &Path) -> PathBuf {
        root.join("programs/upgrade-manager/controls.tsv")
    }

    /// Reads it; empty where there is none.
    pub fn read(path: &Path) -> Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).with_context(|| format!("in {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let mut verdicts = BTreeMap::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let mut columns = line.splitn(3, '\t');
            let (Some(key), Some(kind), Some(value)) =
                (columns.next(), columns.next(), columns.next())
            else {
                bail!("line {} has fewer than three columns", number + 1);
            };
            let verdict = match kind {
                "killed" => Verdict::Killed(value.to_owned()),
                "explained" => Verdict::Explained(value.to_owned()),
                _ => bail!("line {}: {kind} is neither `killed` nor `explained`", number + 1),
            };
            verdicts.insert(key.to_owned(), verdict);
        }
        Ok(Self { verdicts })
    }

    /// The result for `control`.
    pub fn of(&self, control: &Control) -> Option<&Verdict> {
        self.verdicts.get(&control.key())
    }

    /// Records the result of a run.
    pub fn set(&mut self, control: &Control, verdict: Option<Verdict>) {
        match verdict {
            Some(verdict) => self.verdicts.insert(control.key(), verdict),
            None => self.verdicts.remove(&control.key()),
        };
    }

    /// Drops results of controls that no longer exist.
    pub fn keep(&mut self, controls: &[Control]) {
        let keys: Vec<String> = controls.iter().map(Control::key).collect();
        self.verdicts.retain(|key, _| keys.contains(key));
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.text()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for (key, verdict) in &self.verdicts {
            let (kind, value) = match verdict {
                Verdict::Killed(test) => ("killed", test),
                Verdict::Explained(why) => ("explained", why),
            };
            text.push_str(&format!("{key}\t{kind}\t{value}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::controls;

    #[test]
    fn a_written_ledger_is_read_back() {
        let text =
            format!("{HEAD}a.rs: x\tkilled\tprogram_votes::a_test\nb.rs: y\texplained\tno\n");
        let ledger = Ledger::parse(&text).unwrap();
        assert_eq!(ledger.text(), text);
        assert!(Ledger::parse("a.rs: x\tkilled").is_err());
        assert!(Ledger::parse("a.rs: x\tmaybe\tno").is_err());
    }

    #[test]
    fn every_control_of_the_manager_is_listed_and_nothing_else() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let controls = controls::find(&root.join("programs/upgrade-manager/src")).unwrap();
        let mut ledger = Ledger::read(&Ledger::path(&root)).unwrap();
        let missing: Vec<String> =
            controls.iter().filter(|c| ledger.of(c).is_none()).map(Control::place).collect();
        assert!(missing.is_empty(), "run `cargo xtask mutants`: it has not seen {missing:?}");
        let before = ledger.verdicts.len();
        ledger.keep(&controls);
        assert_eq!(ledger.verdicts.len(), before, "run `cargo xtask mutants`: controls have gone");
    }
}
