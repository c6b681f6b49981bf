//! Rewritten assembly in, Solana ELF out: LLVM assembles, `sbpf-linker` resolves relocations and lays
//! the sections out as the loader expects them.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, anyhow};
use bpf_linker::llvm_sys::{
    core::{LLVMModuleCreateWithNameInContext, LLVMSetModuleInlineAsm2, LLVMSetTarget},
    target::LLVMSetModuleDataLayout,
    target_machine::{LLVMCodeGenFileType, LLVMCreateTargetDataLayout},
};
use sbpf_linker::{OptimizationConfig, ProgramOptions, SbpfArch, SbpfLinkerError, link_program};

use crate::{llvm, stack_frame::FRAME};

/// The object file of `assembly`, by way of the file `temporary`.
pub fn object(assembly: &str, temporary: &Path) -> Result<Vec<u8>> {
    let context = llvm::Context::new();
    let machine = llvm::target_machine(c"")?;
    // SAFETY: the context and the machine live; LLVM copies the text.
    let module = unsafe {
        let module = LLVMModuleCreateWithNameInContext(c"sbf".as_ptr(), context.raw());
        LLVMSetTarget(module, llvm::TRIPLE.as_ptr());
        LLVMSetModuleDataLayout(module, LLVMCreateTargetDataLayout(machine));
        LLVMSetModuleInlineAsm2(module, assembly.as_ptr().cast(), assembly.len());
        module
    };
    let kind = LLVMCodeGenFileType::LLVMObjectFile;
    llvm::emit(&context, module, c"", kind, temporary)
        .context("LLVM cannot assemble the program")?;
    let bytes = fs::read(temporary).context("cannot read the assembled program")?;
    fs::remove_file(temporary).context("cannot remove the assembled program")?;
    Ok(bytes)
}

/// The ELF that the loader takes, for `arch`.
pub fn layout(object: &[u8], arch: SbpfArch) -> Result<Vec<u8>> {
    let frame = i32::try_from(FRAME).context("the stack frame is too large")?;
    let options = ProgramOptions::new(OptimizationConfig::enabled(), arch, frame);
    link_program(object, options)
        .map_err(|errors| anyhow!("{}", SbpfLinkerError::format_errors(&errors)))
        .context("cannot lay the program out as an ELF")
}
