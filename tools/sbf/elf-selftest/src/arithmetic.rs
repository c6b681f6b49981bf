//! Integer and floating-point operations of every width, by number. No dependencies: the test
//! compiles this file for the host.

/// How many operations there are, numbered from 0.
pub const OPERATIONS: u8 = 34;

/// The result of `operation` on `a` and `b`, each cut down to the operation's type; `None` where it
/// overflows or divides by zero.
pub fn calculate(operation: u8, a: u128, b: u128) -> Option<u128> {
    match operation {
        0..=9 => wide(operation, a, b),
        10..=19 => words(operation, a as u64, b as u64).map(u128::from),
        20..=25 => narrow(operation, a, b),
        _ => floats(operation, a as u64, b as u64).map(u128::from),
    }
}

fn wide(operation: u8, a: u128, b: u128) -> Option<u128> {
    let (x, y) = (a as i128, b as i128);
    let signed = |value: i128| value as u128;
    match operation {
        0 => a.checked_add(b),
        1 => a.checked_sub(b),
        2 => a.checked_mul(b),
        3 => a.checked_div(b),
        4 => a.checked_rem(b),
        5 => x.checked_mul(y).map(signed),
        6 => x.checked_div(y).map(signed),
        7 => x.checked_rem(y).map(signed),
        8 => x.checked_add(y).map(signed),
        9 => Some(a.wrapping_mul(b) ^ a.rotate_left(b as u32 & 127)),
        _ => None,
    }
}

fn words(operation: u8, a: u64, b: u64) -> Option<u64> {
    let (x, y) = (a as i64, b as i64);
    let signed = |value: i64| value as u64;
    match operation {
        10 => a.checked_add(b),
        11 => a.checked_mul(b),
        12 => a.checked_rem(b),
        13 => x.checked_mul(y).map(signed),
        14 => x.checked_div(y).map(signed),
        15 => x.checked_rem(y).map(signed),
        16 => x.checked_sub(y).map(signed),
        17 => Some(signed(x >> (b & 63)) ^ (a << (b & 63)) ^ (a >> (b & 31))),
        18 => Some(a.swap_bytes() ^ u64::from((b as u32).swap_bytes())),
        19 => Some(a.wrapping_pow(b as u32 & 15)),
        _ => None,
    }
}

fn narrow(operation: u8, a: u128, b: u128) -> Option<u128> {
    let (x, y) = (a as i32, b as i32);
    match operation {
        20 => x.checked_div(y).map(|value| u128::from(value as u32)),
        21 => x.checked_rem(y).map(|value| u128::from(value as u32)),
        22 => Some((i64::from(a as i8) * i64::from(b as i16)) as u128),
        23 => (a as i8).checked_div(b as i8).map(|value| value as i128 as u128),
        24 => Some(comparisons(a, b)),
        25 => Some(counts(a, b)),
        _ => None,
    }
}

/// A bit for each comparison that holds.
fn comparisons(a: u128, b: u128) -> u128 {
    let holds = [
        a < b,
        (a as i128) < b as i128,
        (a as u64) < b as u64,
        (a as i64) < b as i64,
        (a as i32) <= b as i32,
        (a as u8) >= b as u8,
    ];
    holds.iter().fold(0, |bits, holds| bits << 1 | u128::from(*holds))
}

fn counts(a: u128, b: u128) -> u128 {
    let parts = [a.leading_zeros(), a.trailing_zeros(), b.count_ones(), (b as u64).leading_zeros()];
    parts.iter().fold(0, |sum, part| sum * 1000 + u128::from(*part))
}

/// Soft floating point, which LLVM turns into calls. A result narrower than a register is widened
/// at once, so that what its upper half holds shows.
fn floats(operation: u8, a: u64, b: u64) -> Option<u64> {
    let (x, y) = (a as f64, b as f64);
    let (s, t) = (a as i32 as f32, b as u32 as f32);
    match operation {
        26 => Some((x * 1.5 + f64::from(b as u32) / 3.0).to_bits()),
        27 => Some((a as i64 as f64 * -0.5) as i64 as u64),
        28 => Some(u64::from((s - t).to_bits()) ^ u64::from((a as f32 * -t).to_bits())),
        29 => Some(float_comparisons(x, -y, s, t)),
        30 => Some(quotient(s, t) + u64::from((x - y) as f32 > 1.0)),
        31 => Some((s * 0.25) as i32 as i64 as u64 ^ (x / -8.0) as i32 as i64 as u64),
        32 => Some(u64::from((t * 1.5) as u32) + u64::from((y / 3.0) as u32)),
        33 => Some((f64::from(s) * f64::from(t)).to_bits() ^ u64::from((x as f32).to_bits())),
        _ => None,
    }
}

/// Bits of `s / t`, all ones where it is not a number: which one it is differs between machines.
fn quotient(s: f32, t: f32) -> u64 {
    let quotient = s / t;
    if quotient.is_nan() { u64::MAX >> 1 } else { u64::from(quotient.to_bits()) }
}

/// A bit for each comparison that holds, single and double.
fn float_comparisons(x: f64, y: f64, s: f32, t: f32) -> u64 {
    let nothing = f64::NAN + x;
    let holds = [x < y, x == y, x >= y, s < t, s == t, -s > t, nothing < x, nothing.is_nan()];
    holds.iter().fold(0, |bits, holds| bits << 1 | u64::from(*holds))
}
