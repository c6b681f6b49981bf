//! Sizes that code generation, lowering of stack arguments and layout must agree on.

/// Size of a stack frame in the SVM, in bytes.
pub const FRAME: i64 = 4096;

/// Bytes at the bottom of every frame that LLVM may not use; `stack_args` says for what.
pub const RESERVED: i64 = 128;
