//! `cargo xtask mutants`: switches off one control of the manager after the other and shows which
//! test notices. The manager is built once, with a switch in it that a real build does not have;
//! each control is then switched off in the ELF's bytes. A control that no test misses is a
//! survivor, and fails the command unless the ledger says why none can.

mod controls;
mod ledger;
mod test_binaries;

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    atomic_dir,
    cli::{Mutants, ToolchainChoice},
    paths::Paths,
    program::Program,
    progress::Progress,
    sbf::{self, toolchain::Toolchain},
};
use controls::Control;
use ledger::{Ledger, Verdict};
use test_binaries::{TestBinaries, TestEnv};

/// The bytes in front of the switch in the ELF: see the manager's `runtime/require.rs`.
const MARK: &[u8] = b"control-switch:\0";

/// The command.
pub fn run(options: &Mutants) -> Result<ExitCode> {
    let progress = Progress::start();
    let paths = Paths::find()?;
    let found = controls::find(&paths.root.join("programs/upgrade-manager/src"))?;
    let chosen: Vec<Control> =
        found.iter().filter(|control| options.wants(&control.key())).cloned().collect();
    ensure!(!chosen.is_empty(), "no control's name contains {:?}", options.filters);

    let toolchain = Toolchain::choose(&paths, ToolchainChoice::Auto)?;
    let programs = [&Program::PRODUCT[..], &Program::TEST, &[Program::ManagerMutants]].concat();
    sbf::build(&paths, &toolchain, &programs, &progress)?;
    progress.say("compiling the tests");
    let tests = TestBinaries::build(&paths)?;
    let elf = fs::read(Program::ManagerMutants.elf_path(&paths))
        .context("cannot read the manager's mutation build")?;

    let path = Ledger::path(&paths.root);
    let known = Ledger::read(&path)?;
    let run = Run { paths: &paths, tests: &tests, elf: &elf, known: &known, progress };
    run.baseline()?;
    progress.say(&format!("{} controls, {} tests", chosen.len(), tests.len()));
    let verdicts = run.all(&chosen)?;

    let mut ledger = Ledger::read(&path)?;
    for (control, verdict) in chosen.iter().zip(&verdicts) {
        ledger.set(control, verdict.clone());
    }
    ledger.keep(&found);
    ledger.write(&path)?;
    Ok(print_table(&chosen, &verdicts))
}

/// One run over all controls.
struct Run<'a> {
    paths: &'a Paths,
    tests: &'a TestBinaries,
    elf: &'a [u8],
    known: &'a Ledger,
    progress: Progress,
}

impl Run<'_> {
    /// With every control on, every test must pass: else a failure would prove nothing.
    fn baseline(&self) -> Result<()> {
        self.progress.say("every test with every control on");
        let env = self.test_env(0, 0)?;
        for file in self.tests.files() {
            let failed = self.tests.failures(file, &env)?;
            if !failed.is_empty() {
                bail!("with every control on, these fail: {}", failed.join(", "));
            }
        }
        Ok(())
    }

    /// The verdict on each of `controls`, by as many workers as there are processors.
    fn all(&self, controls: &[Control]) -> Result<Vec<Option<Verdict>>> {
        let queue: Mutex<VecDeque<usize>> = Mutex::new((0..controls.len()).collect());
        let verdicts = Mutex::new(vec![None; controls.len()]);
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let work = |worker: usize| -> Result<()> {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some((at, control)) = next.and_then(|at| Some((at, controls.get(at)?))) else {
                    return Ok(());
                };
                let verdict = self.find_killer(control, worker)?;
                let text = match &verdict {
                    Some(Verdict::Killed(test)) => format!("noticed by {test}"),
                    Some(Verdict::Explained(_)) => "explained".to_owned(),
                    None => "SURVIVED".to_owned(),
                };
                self.progress.say(&format!("{} {}: {text}", control.place(), control.error));
                let mut verdicts = verdicts.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(slot) = verdicts.get_mut(at) {
                    *slot = verdict;
                }
            }
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (1..=workers).map(|n| scope.spawn(move || work(n))).collect();
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(_) => bail!("a worker died"),
            })
        })?;
        Ok(verdicts.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which test fails without `control`: the one that did last time, else the unit tests, else
    /// those that name its error, else any.
    fn find_killer(&self, control: &Control, worker: usize) -> Result<Option<Verdict>> {
        let env = self.test_env(control.id, worker)?;
        let known = self.known.of(control);
        if let Some(Verdict::Killed(test)) = known
            && self.tests.has(test)
            && self.tests.fails(test, &env)?
        {
            return Ok(known.cloned());
        }
        if let Some(test) = self.tests.failures(test_binaries::UNIT, &env)?.into_iter().next() {
            return Ok(Some(Verdict::Killed(test)));
        }
        for test in self.tests.naming(&control.error) {
            if self.tests.fails(test, &env)? {
                return Ok(Some(Verdict::Killed(test.clone())));
            }
        }
        for file in self.tests.files().filter(|file| *file != test_binaries::UNIT) {
            if let Some(test) = self.tests.failures(file, &env)?.into_iter().next() {
                return Ok(Some(Verdict::Killed(test)));
            }
        }
        // An explanation counts only while no test can tell the difference.
        Ok(known.filter(|verdict| matches!(verdict, Verdict::Explained(_))).cloned())
    }

    /// A folder of ELFs in which control `off` is switched off.
    fn test_env(&self, off: u32, worker: usize) -> Result<TestEnv> {
        let folder = self.paths.elf().join(format!("mutants-{worker}"));
        atomic_dir::create(&folder)?;
        let others = [&Program::PRODUCT[..], &Program::TEST].concat();
        for program in others.into_iter().filter(|p| *p != Program::UpgradeManager) {
            let to = folder.join(program.name()).with_extension("so");
            link(&program.elf_path(self.paths), &to)?;
        }
        let manager = folder.join(Program::UpgradeManager.name()).with_extension("so");
        fs::write(&manager, switched(self.elf, off)?)
            .with_context(|| format!("cannot write {}", manager.display()))?;
        Ok(TestEnv { elf: folder, off })
    }
}

/// Makes `to` another name of the file `from`.
fn link(from: &Path, to: &PathBuf) -> Result<()> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", to.display()));
        }
        _ => {}
    }
    fs::hard_link(from, to).with_context(|| format!("cannot link {}", to.display()))
}

/// `elf` with control `off` switched off.
fn switched(elf: &[u8], off: u32) -> Result<Vec<u8>> {
    let positions: Vec<usize> = elf
        .windows(MARK.len())
        .enumerate()
        .filter_map(|(at, bytes)| (bytes == MARK).then_some(at))
        .collect();
    let [at] = positions[..] else {
        bail!("the mutation build has {} switches instead of one", positions.len());
    };
    let mut elf = elf.to_vec();
    let switch = elf.get_mut(at + MARK.len()..).and_then(|rest| rest.first_chunk_mut::<4>());
    *switch.context("the switch is cut off")? = off.to_le_bytes();
    Ok(elf)
}

fn print_table(controls: &[Control], verdicts: &[Option<Verdict>]) -> ExitCode {
    let (mut killed, mut explained, mut survived) = (0, 0, 0);
    for (control, verdict) in controls.iter().zip(verdicts) {
        let (mark, text) = match verdict {
            Some(Verdict::Killed(test)) => {
                killed += 1;
                ("killed   ", test.as_str())
            }
            Some(Verdict::Explained(why)) => {
                explained += 1;
                ("explained", why.as_str())
            }
            None => {
                survived += 1;
                ("SURVIVED ", "no test fails without it")
            }
        };
        println!("{mark}  {:<48}  {}\n           {text}", control.place(), control.error);
    }
    println!("{killed} killed, {explained} explained, {survived} survived");
    if survived == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_is_set_in_its_one_place() {
        let elf = [b"abc", MARK, b"\0\0\0\0def"].concat();
        let off = switched(&elf, 0x0403_0201).unwrap();
        assert_eq!(off, [b"abc", MARK, b"\x01\x02\x03\x04def"].concat());
        assert!(switched(b"no mark", 1).is_err());
        assert!(switched(&[&elf[..], &elf].concat(), 1).is_err(), "two switches");
        assert!(switched(&elf[..elf.len() - 5], 1).is_err(), "cut off");
    }
}
