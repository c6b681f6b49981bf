//! Optimised bitcode in, BPF assembly out.

use std::{collections::BTreeSet, path::Path, ptr};

use anyhow::{Result, bail};
use bpf_linker::llvm_sys::{
    bit_reader::LLVMParseBitcodeInContext2, core::LLVMCreateMemoryBufferWithContentsOfFile,
    prelude::LLVMModuleRef, target_machine::LLVMCodeGenFileType,
};

use crate::{division, llvm, memory_calls};

/// What came of an attempt.
pub enum Generated {
    /// The assembly is written.
    Assembly,
    /// Nothing is written: these run-time helpers have to be linked in first.
    Missing(BTreeSet<String>),
}

/// Compiles the program in `bitcode` to `listing`.
pub fn assembly(bitcode: &Path, listing: &Path) -> Result<Generated> {
    let context = llvm::Context::new();
    let module = read(&context, bitcode)?;
    llvm::run_passes(module, c"mergefunc,globaldce")?;
    let mut missing = division::replace(&context, module)?;
    missing.extend(memory_calls::replace(&context, module)?);
    if !missing.is_empty() {
        return Ok(Generated::Missing(missing));
    }
    let kind = LLVMCodeGenFileType::LLVMAssemblyFile;
    llvm::emit(&context, module, llvm::CODE_FEATURES, kind, listing).map_err(explain)?;
    Ok(Generated::Assembly)
}

fn read(context: &llvm::Context, bitcode: &Path) -> Result<LLVMModuleRef> {
    let path = llvm::c_path(bitcode)?;
    let (mut buffer, mut module, mut error) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: `path` is a C string, the out pointers are locals, the context lives.
    unsafe {
        if LLVMCreateMemoryBufferWithContentsOfFile(path.as_ptr(), &mut buffer, &mut error) != 0 {
            bail!("cannot read the linked bitcode: {}", llvm::message(error));
        }
        if LLVMParseBitcodeInContext2(context.raw(), buffer, &mut module) != 0 {
            bail!("cannot parse the linked bitcode: {}", context.errors().join("\n"));
        }
    }
    Ok(module)
}

/// LLVM's advice for large frames is for another kind of BPF program: ours instead.
fn explain(error: anyhow::Error) -> anyhow::Error {
    let text = format!("{error:#}");
    if !text.contains("BPF stack limit") {
        return error.context("LLVM cannot compile the program");
    }
    let own: Vec<_> = text.lines().map(|l| l.split(" Please move").next().unwrap_or(l)).collect();
    anyhow::anyhow!("{}", own.join("\n"))
        .context("a function needs more stack than a frame has: move large values into a Box")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_frame_is_explained_in_solanas_terms() {
        let llvm = "in function f: Looks like the BPF stack limit is exceeded. Please move large on \
                    stack variables into BPF per-cpu array map.";
        let text = format!("{:#}", explain(anyhow::anyhow!(llvm)));
        assert!(text.contains("Box") && text.contains("in function f"), "{text}");
        assert!(!text.contains("per-cpu"), "{text}");
    }
}
