//! Signed division becomes a call. LLVM's back end has no instruction for it on this version of BPF
//! and no call either: it would refuse to compile the program.

use std::{collections::BTreeSet, ffi::CStr};

use anyhow::{Result, bail};
use bpf_linker::llvm_sys::{
    LLVMOpcode, LLVMTypeKind,
    core::{
        LLVMBuildCall2, LLVMBuildSExtOrBitCast, LLVMBuildTruncOrBitCast,
        LLVMCreateBuilderInContext, LLVMGetFirstBasicBlock, LLVMGetFirstFunction,
        LLVMGetFirstInstruction, LLVMGetInstructionOpcode, LLVMGetIntTypeWidth,
        LLVMGetNamedFunction, LLVMGetNextBasicBlock, LLVMGetNextFunction, LLVMGetNextInstruction,
        LLVMGetOperand, LLVMGetTypeKind, LLVMGlobalGetValueType, LLVMInstructionEraseFromParent,
        LLVMInt64TypeInContext, LLVMPositionBuilderBefore, LLVMReplaceAllUsesWith, LLVMTypeOf,
    },
    prelude::{LLVMBuilderRef, LLVMModuleRef, LLVMTypeRef, LLVMValueRef},
};

use crate::llvm;

/// An instruction, and the helper of `builtins/src/exports.rs` that takes its place.
type Division = (LLVMValueRef, &'static CStr);

/// Rewrites every signed division of up to 64 bits in `module` (wider ones LLVM turns into calls
/// itself). Returns the helpers that the module lacks; where there are any, it is not to be used.
pub fn replace(context: &llvm::Context, module: LLVMModuleRef) -> Result<BTreeSet<String>> {
    let mut missing = BTreeSet::new();
    // SAFETY: `module` is live and belongs to `context`; the builder and the types are the context's.
    unsafe {
        let builder = LLVMCreateBuilderInContext(context.raw());
        let word = LLVMInt64TypeInContext(context.raw());
        for (division, name) in find(module) {
            let kind = LLVMTypeOf(division);
            if LLVMGetTypeKind(kind) != LLVMTypeKind::LLVMIntegerTypeKind {
                bail!("a signed division of vectors is not supported");
            }
            if LLVMGetIntTypeWidth(kind) > 64 {
                continue;
            }
            let helper = LLVMGetNamedFunction(module, name.as_ptr());
            if helper.is_null() {
                missing.insert(name.to_string_lossy().into_owned());
                continue;
            }
            call_instead(builder, word, division, helper);
        }
    }
    Ok(missing)
}

/// Every signed division and remainder in `module`.
///
/// # Safety
/// `module` is live.
unsafe fn find(module: LLVMModuleRef) -> Vec<Division> {
    let mut found = vec![];
    // SAFETY: each iterator ends with null, and nothing is changed on the way.
    unsafe {
        let mut function = LLVMGetFirstFunction(module);
        while !function.is_null() {
            let mut block = LLVMGetFirstBasicBlock(function);
            while !block.is_null() {
                let mut instruction = LLVMGetFirstInstruction(block);
                while !instruction.is_null() {
                    match LLVMGetInstructionOpcode(instruction) {
                        LLVMOpcode::LLVMSDiv => found.push((instruction, c"sbf_sdiv")),
                        LLVMOpcode::LLVMSRem => found.push((instruction, c"sbf_srem")),
                        _ => {}
                    }
                    instruction = LLVMGetNextInstruction(instruction);
                }
                block = LLVMGetNextBasicBlock(block);
            }
            function = LLVMGetNextFunction(function);
        }
    }
    found
}

/// Puts `helper(a, b)` in the place of `division`, its operands widened to 64 bits and its result
/// narrowed again.
///
/// # Safety
/// All values are live and of one context; `helper` takes two `word`s and returns one.
unsafe fn call_instead(
    builder: LLVMBuilderRef,
    word: LLVMTypeRef,
    division: LLVMValueRef,
    helper: LLVMValueRef,
) {
    let unnamed = c"".as_ptr();
    // SAFETY: the caller's promise; a division has two operands.
    unsafe {
        LLVMPositionBuilderBefore(builder, division);
        let mut operands = [0, 1]
            .map(|at| LLVMBuildSExtOrBitCast(builder, LLVMGetOperand(division, at), word, unnamed));
        let signature = LLVMGlobalGetValueType(helper);
        let wide = LLVMBuildCall2(builder, signature, helper, operands.as_mut_ptr(), 2, unnamed);
        let result = LLVMBuildTruncOrBitCast(builder, wide, LLVMTypeOf(division), unnamed);
        LLVMReplaceAllUsesWith(division, result);
        LLVMInstructionEraseFromParent(division);
    }
}
