//! The command line, as rustc writes it for its `bpf` linker flavor, plus options of our own, which
//! `cargo xtask` passes with `-Clink-arg`. An option that is not known is an error: a new rustc may
//! mean something by it.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use bpf_linker::OptLevel;
use sbpf_linker::SbpfArch;

use crate::security_txt;

/// What to link, and how.
#[derive(Debug)]
pub struct Args {
    /// Bitcode objects and archives, the run-time helpers first.
    pub inputs: Vec<PathBuf>,
    pub output: PathBuf,
    /// Symbols that stay although nothing calls them.
    pub exports: Vec<String>,
    pub opt_level: OptLevel,
    pub arch: SbpfArch,
    /// How large a function may be, in LLVM's measure, to be copied to where it is called.
    pub inline_threshold: u32,
    /// Leave the final assembly beside the output.
    pub keep_asm: bool,
}

impl Args {
    /// Reads the arguments after the program's name, and the symbol list that rustc writes to a file.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut parsed = Self {
            inputs: vec![],
            output: PathBuf::new(),
            exports: vec!["entrypoint".to_owned()],
            opt_level: OptLevel::Aggressive,
            arch: SbpfArch::V0,
            inline_threshold: 225,
            keep_asm: false,
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let (key, inline) = match argument.split_once('=') {
                Some((key, value)) if key.starts_with("--") => (key, Some(value.to_owned())),
                _ => (argument.as_str(), None),
            };
            let mut value = || {
                inline
                    .clone()
                    .or_else(|| arguments.next())
                    .with_context(|| format!("option {key} has no value"))
            };
            match key {
                "-o" | "--output" => parsed.output = value()?.into(),
                "--builtins" => parsed.inputs.insert(0, value()?.into()),
                "--export" => parsed.exports.push(value()?),
                "--export-symbols" => parsed.exports.extend(hooks(&value()?)?),
                "--arch" => parsed.arch = arch(&value()?)?,
                "--inline-threshold" => parsed.inline_threshold = number(&value()?)?,
                "--keep-asm" => parsed.keep_asm = true,
                "-O0" | "-O1" => parsed.opt_level = OptLevel::Less,
                // For size, rustc marks the functions; LLVM 23 has no such levels any more.
                "-O2" | "-Os" | "-Oz" => parsed.opt_level = OptLevel::Default,
                "-O3" => parsed.opt_level = OptLevel::Aggressive,
                // Fixed here, whatever rustc says: bitcode in, one sBPF ELF out.
                "-L" | "--target" | "--emit" | "--cpu" | "--cpu-features" => drop(value()?),
                "--debug" => {}
                _ if key.starts_with('-') => bail!("option {key} is not known"),
                _ => parsed.inputs.push(argument.into()),
            }
        }
        if parsed.inputs.is_empty() || parsed.output.as_os_str().is_empty() {
            bail!("nothing to do: inputs and -o OUTPUT are needed");
        }
        Ok(parsed)
    }
}

fn number(text: &str) -> Result<u32> {
    text.parse().with_context(|| format!("{text} is not a number"))
}

fn arch(name: &str) -> Result<SbpfArch> {
    match name {
        "v0" => Ok(SbpfArch::V0),
        "v3" => Ok(SbpfArch::V3),
        other => bail!("sBPF {other} is not known: use v0 or v3"),
    }
}

/// Of rustc's list of exported symbols, those that the run time or a tool looks for. The rest would
/// only keep dead code alive.
fn hooks(list: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(list).with_context(|| format!("cannot read {list}"))?;
    let is_hook = |name: &&str| ["custom_panic", security_txt::SYMBOL].contains(name);
    Ok(text.lines().filter(is_hook).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_a_line_as_rustc_writes_it() {
        let args = parse("a.o libb.rlib -L /lib --cpu=v2 --debug -O2 -o out.so --arch=v3").unwrap();
        assert_eq!(args.inputs, ["a.o", "libb.rlib"].map(PathBuf::from));
        assert_eq!(args.output, PathBuf::from("out.so"));
        assert!(matches!(args.opt_level, OptLevel::Default));
        assert!(matches!(args.arch, SbpfArch::V3));
        assert!(!args.keep_asm);
        assert_eq!(args.inline_threshold, 225);
        let small = parse("a.o -o out.so --inline-threshold=25").unwrap();
        assert_eq!(small.inline_threshold, 25);
    }

    #[test]
    fn helpers_come_first_wherever_they_are_named() {
        let args = parse("a.o --builtins=b.rlib -o out.so").unwrap();
        assert_eq!(args.inputs, ["b.rlib", "a.o"].map(PathBuf::from));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in [
            "a.o -o out.so --new-flag",
            "a.o",
            "-o out.so",
            "a.o -o",
            "a.o -o b --arch v9",
            "a.o -o b --inline-threshold x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
