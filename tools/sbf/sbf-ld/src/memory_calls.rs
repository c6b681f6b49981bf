//! Copies and fills of a known length become calls of the memory functions where they are long. LLVM's
//! BPF back end writes up to 128 loads and stores in place for each: right for a kernel's verifier, and
//! wrong for a program that pays for its size. The call costs about 16 units, so it is the faster way,
//! too, from some 64 bytes on.

use std::{
    collections::BTreeSet,
    ffi::{CStr, c_uint},
    ptr, slice,
};

use anyhow::{Result, bail};
use bpf_linker::llvm_sys::{
    LLVMOpcode, LLVMTypeKind,
    core::{
        LLVMBuildCall2, LLVMBuildZExtOrBitCast, LLVMConstIntGetZExtValue, LLVMCountParamTypes,
        LLVMCreateBuilderInContext, LLVMGetCalledValue, LLVMGetFirstBasicBlock,
        LLVMGetFirstFunction, LLVMGetFirstInstruction, LLVMGetInstructionOpcode,
        LLVMGetNamedFunction, LLVMGetNextBasicBlock, LLVMGetNextFunction, LLVMGetNextInstruction,
        LLVMGetOperand, LLVMGetParamTypes, LLVMGetTypeKind, LLVMGetValueName2,
        LLVMGlobalGetValueType, LLVMInstructionEraseFromParent, LLVMIsAConstantInt,
        LLVMIsAFunction, LLVMPositionBuilderBefore, LLVMTypeOf,
    },
    prelude::{LLVMBuilderRef, LLVMModuleRef, LLVMValueRef},
};

use crate::llvm;

/// The most bytes that are copied or filled in place: four loads and four stores.
const MAX_INLINE_LEN: u64 = 32;

/// Starts of the names of LLVM's own operations, and the C functions that do the same.
const OPERATIONS: [(&str, &CStr); 3] =
    [("llvm.memcpy.", c"memcpy"), ("llvm.memmove.", c"memmove"), ("llvm.memset.", c"memset")];

/// Rewrites every long copy and fill in `module`. Returns the functions that the module lacks; where
/// there are any, it is not to be used.
pub fn replace(context: &llvm::Context, module: LLVMModuleRef) -> Result<BTreeSet<String>> {
    let mut missing = BTreeSet::new();
    // SAFETY: `module` is live and belongs to `context`, and so does the builder.
    unsafe {
        let builder = LLVMCreateBuilderInContext(context.raw());
        for (operation, name) in find(module) {
            let function = LLVMGetNamedFunction(module, name.as_ptr());
            if function.is_null() {
                missing.insert(name.to_string_lossy().into_owned());
            } else {
                call_instead(builder, operation, function)?;
            }
        }
    }
    Ok(missing)
}

/// Every long operation in `module`, and the function that takes its place.
///
/// # Safety
/// `module` is live.
unsafe fn find(module: LLVMModuleRef) -> Vec<(LLVMValueRef, &'static CStr)> {
    let mut found = vec![];
    // SAFETY: each iterator ends with null, and nothing is changed on the way.
    unsafe {
        let mut function = LLVMGetFirstFunction(module);
        while !function.is_null() {
            let mut block = LLVMGetFirstBasicBlock(function);
            while !block.is_null() {
                let mut instruction = LLVMGetFirstInstruction(block);
                while !instruction.is_null() {
                    if let Some(name) = operation(instruction)
                        && is_long(LLVMGetOperand(instruction, 2))
                    {
                        found.push((instruction, name));
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

/// The function for what `instruction` does, if it is one of the operations.
///
/// # Safety
/// `instruction` is live.
unsafe fn operation(instruction: LLVMValueRef) -> Option<&'static CStr> {
    // SAFETY: the caller's promise; a call has a called value, and a name lives as long as its value.
    let name = unsafe {
        if LLVMGetInstructionOpcode(instruction) != LLVMOpcode::LLVMCall {
            return None;
        }
        let called = LLVMGetCalledValue(instruction);
        if LLVMIsAFunction(called).is_null() {
            return None;
        }
        let mut length = 0;
        let start = LLVMGetValueName2(called, &mut length);
        slice::from_raw_parts(start.cast::<u8>(), length)
    };
    function_for(name)
}

fn function_for(name: &[u8]) -> Option<&'static CStr> {
    let (_, function) = OPERATIONS.iter().find(|(start, _)| name.starts_with(start.as_bytes()))?;
    Some(function)
}

/// Whether `length` is known, and too long to stay.
///
/// # Safety
/// `length` is live.
unsafe fn is_long(length: LLVMValueRef) -> bool {
    // SAFETY: the caller's promise; a constant integer has a value.
    unsafe {
        !LLVMIsAConstantInt(length).is_null() && LLVMConstIntGetZExtValue(length) > MAX_INLINE_LEN
    }
}

/// Puts a call of `function` in the place of `operation`, with its first three operands. Only a fill's
/// byte has another type than the function's argument: it is widened.
///
/// # Safety
/// Both are live and of one context.
unsafe fn call_instead(
    builder: LLVMBuilderRef,
    operation: LLVMValueRef,
    function: LLVMValueRef,
) -> Result<()> {
    let unnamed = c"".as_ptr();
    // SAFETY: the caller's promise; each operation has at least three operands, and `types` holds as
    // many as the signature has.
    unsafe {
        let signature = LLVMGlobalGetValueType(function);
        let mut types = [ptr::null_mut(); 3];
        if LLVMCountParamTypes(signature) != 3 {
            bail!("a memory function of the program takes other arguments than C's");
        }
        LLVMGetParamTypes(signature, types.as_mut_ptr());
        LLVMPositionBuilderBefore(builder, operation);
        let mut operands = vec![];
        for (at, wanted) in (0 as c_uint..).zip(types) {
            let operand = LLVMGetOperand(operation, at);
            let is_integer =
                LLVMGetTypeKind(LLVMTypeOf(operand)) == LLVMTypeKind::LLVMIntegerTypeKind;
            operands.push(if is_integer {
                LLVMBuildZExtOrBitCast(builder, operand, wanted, unnamed)
            } else {
                operand
            });
        }
        LLVMBuildCall2(builder, signature, function, operands.as_mut_ptr(), 3, unnamed);
        LLVMInstructionEraseFromParent(operation);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_told_by_the_start_of_their_names() {
        assert_eq!(function_for(b"llvm.memcpy.p0.p0.i64"), Some(c"memcpy"));
        assert_eq!(function_for(b"llvm.memset.p0.i64"), Some(c"memset"));
        for name in [&b"memcpy"[..], b"llvm.memcmp.p0", b""] {
            assert_eq!(function_for(name), None);
        }
    }
}
