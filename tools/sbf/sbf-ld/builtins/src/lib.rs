//! Run-time helpers that generated sBPF code calls. Compiled for sBPF by `cargo xtask build-sbf` and
//! linked in front of every program; on the host only the arithmetic is compiled, for its tests.
//! May not allocate, panic or use another crate.
#![cfg_attr(not(test), no_std)]
#![no_builtins]

mod int128;

#[cfg(not(test))]
mod exports;
#[cfg(not(test))]
mod memory;
