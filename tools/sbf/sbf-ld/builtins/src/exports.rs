//! The symbols behind the arithmetic. LLVM wants 128-bit results in r0 and r2, which rustc's BPF
//! target cannot return: these write their result to memory, and the linker driver adds adapters
//! named `__multi3` and so on around them (`sbf-ld/src/adapters.rs`).

use crate::int128::{div_rem, div_rem_signed, high, join, low, multiply};

/// A 128-bit result, low word first.
type Words = [u64; 2];

#[inline(always)]
fn store(out: &mut Words, value: u128) {
    *out = [low(value), high(value)];
}

/// 128-bit product, wrapping.
#[unsafe(no_mangle)]
pub extern "C" fn sbf_multi3(out: &mut Words, a0: u64, a1: u64, b0: u64, b1: u64) {
    store(out, multiply(join(a1, a0), join(b1, b0)));
}

/// Unsigned 128-bit quotient.
#[unsafe(no_mangle)]
pub extern "C" fn sbf_udivti3(out: &mut Words, a0: u64, a1: u64, b0: u64, b1: u64) {
    store(out, div_rem(join(a1, a0), join(b1, b0)).0);
}

/// Unsigned 128-bit remainder.
#[unsafe(no_mangle)]
pub extern "C" fn sbf_umodti3(out: &mut Words, a0: u64, a1: u64, b0: u64, b1: u64) {
    store(out, div_rem(join(a1, a0), join(b1, b0)).1);
}

/// Signed 128-bit quotient.
#[unsafe(no_mangle)]
pub extern "C" fn sbf_divti3(out: &mut Words, a0: u64, a1: u64, b0: u64, b1: u64) {
    store(out, div_rem_signed(join(a1, a0), join(b1, b0)).0);
}

/// Signed 128-bit remainder.
#[unsafe(no_mangle)]
pub extern "C" fn sbf_modti3(out: &mut Words, a0: u64, a1: u64, b0: u64, b1: u64) {
    store(out, div_rem_signed(join(a1, a0), join(b1, b0)).1);
}

/// Signed 64-bit quotient: sBPF v0 and v3 only divide unsigned numbers.
#[unsafe(no_mangle)]
pub extern "C" fn sbf_sdiv(a: i64, b: i64) -> i64 {
    let quotient = a.unsigned_abs() / b.unsigned_abs();
    if (a ^ b) < 0 { quotient.wrapping_neg() as i64 } else { quotient as i64 }
}

/// Signed 64-bit remainder.
#[unsafe(no_mangle)]
pub extern "C" fn sbf_srem(a: i64, b: i64) -> i64 {
    let remainder = a.unsigned_abs() % b.unsigned_abs();
    if a < 0 { remainder.wrapping_neg() as i64 } else { remainder as i64 }
}
