//! Linker driver for Solana programs that rustc compiled with LLVM's own BPF back end.
//!
//! rustc hands over bitcode. Out of it comes one ELF in five steps, a module each: the whole program
//! is linked and optimised (`bitcode`), compiled to assembly (`codegen`), checked for what sBPF or
//! its run time lacks (`libcalls`), rewritten where helpers return narrow floats (`float_results`) and
//! where arguments are on the stack (`stack_args`), and assembled and laid out for the loader
//! (`assemble`, `security_txt`).
//! May not decide which programs are built or where anything is installed: `cargo xtask` does.

mod adapters;
mod args;
mod asm;
mod assemble;
mod bitcode;
mod codegen;
mod division;
mod float_results;
mod libcalls;
mod llvm;
mod memory_calls;
mod security_txt;
mod stack_args;
mod stack_frame;

use std::{collections::BTreeSet, fs, path::Path, process::ExitCode};

use anyhow::{Context as _, Result, bail};

use crate::args::Args;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::ERROR)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time()
        .init();
    match Args::parse(std::env::args().skip(1)).and_then(|args| link(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sbf-ld: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn link(args: &Args) -> Result<()> {
    let listing = args.output.with_extension("s");
    let (assembly, has_security_txt) = security_txt::remove(&generate(args, &listing)?);
    let lowered = stack_args::lower(&float_results::extend(&assembly))?;
    let mut text = lowered.text;
    text.push_str(&adapters::int128(&text));
    if lowered.needs_trampoline {
        text.push_str(stack_args::TRAMPOLINE);
    }
    if args.keep_asm {
        fs::write(&listing, &text).context("cannot write the assembly")?;
        eprintln!("sbf-ld: {} functions take arguments on the stack", lowered.functions);
    }
    let object = assemble::object(&text, &args.output.with_extension("sbf.o"))?;
    let mut elf = assemble::layout(&object, args.arch)?;
    if has_security_txt {
        elf = security_txt::append(&elf)?;
    }
    fs::write(&args.output, elf).with_context(|| format!("cannot write {}", args.output.display()))
}

/// Assembly of the whole program. Which run-time helpers it calls shows only once code is generated,
/// and optimisation drops what nobody calls: so it links again, keeping those, until none is missing.
fn generate(args: &Args, listing: &Path) -> Result<String> {
    let linker = bitcode::Linker::new(args)?;
    let linked = args.output.with_extension("sbf.bc");
    let mut helpers = BTreeSet::new();
    loop {
        linker.link(&helpers, &linked)?;
        let generated = codegen::assembly(&linked, listing);
        fs::remove_file(&linked).context("cannot remove the linked bitcode")?;
        let missing = match generated? {
            codegen::Generated::Missing(names) => names,
            codegen::Generated::Assembly => {
                let text = fs::read_to_string(listing).context("cannot read the assembly")?;
                fs::remove_file(listing).context("cannot remove the assembly")?;
                let missing = libcalls::missing(&text)?;
                if missing.is_empty() {
                    return Ok(text);
                }
                missing
            }
        };
        let known = helpers.len();
        helpers.extend(missing.iter().cloned());
        if helpers.len() == known {
            let names: Vec<_> = missing.into_iter().collect();
            bail!("the program calls what nothing defines: {}", names.join(", "));
        }
    }
}
