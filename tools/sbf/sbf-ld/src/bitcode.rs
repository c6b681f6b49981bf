//! The whole program in one optimised bitcode file: `bpf-linker` links and optimises, no code is
//! generated yet.

use std::{collections::BTreeSet, ffi::CString, path::Path};

use anyhow::{Context as _, Result, bail};
use bpf_linker::{Cpu, LinkerInput, LinkerOptions, OutputType};

use crate::{
    args::Args,
    llvm,
    stack_frame::{FRAME, RESERVED},
};

/// Links the same inputs as often as asked.
pub struct Linker<'a> {
    args: &'a Args,
    linker: bpf_linker::Linker,
}

impl<'a> Linker<'a> {
    /// Starts LLVM and sets, for the whole process, how large a stack frame may become.
    pub fn new(args: &'a Args) -> Result<Self> {
        let stack_size = CString::new(format!("--bpf-stack-size={}", FRAME - RESERVED))
            .context("the stack option is not a C string")?;
        let threshold = CString::new(format!("--inline-threshold={}", args.inline_threshold))
            .context("the inlining option is not a C string")?;
        let linker = bpf_linker::Linker::new(LinkerOptions {
            target: None,
            cpu: Cpu::V2,
            cpu_features: llvm::CODE_FEATURES.to_owned(),
            optimize: args.opt_level,
            unroll_loops: false,
            ignore_inline_never: false,
            llvm_args: vec![stack_size, threshold],
            disable_expand_memcpy_in_order: true,
            disable_memory_builtins: false,
            btf: false,
            allow_bpf_trap: true,
        });
        Ok(Self { args, linker })
    }

    /// Writes the program to `output`, keeping `helpers` although no bitcode calls them.
    pub fn link(&self, helpers: &BTreeSet<String>, output: &Path) -> Result<()> {
        let inputs = self.args.inputs.iter().map(|path| LinkerInput::new_from_file(path));
        let exports = self.args.exports.iter().chain(helpers).map(String::as_str);
        self.linker
            .link_to_file(inputs, output, OutputType::Bitcode, exports)
            .context("cannot link the program's bitcode")?;
        if self.linker.has_errors() {
            bail!("LLVM reported the errors above while it linked the program");
        }
        Ok(())
    }
}
