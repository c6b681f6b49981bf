//! 128-bit multiplication and division out of 64-bit operations only: on sBPF a `*` or `/` on `u128`
//! would call the very helpers that are defined with these functions.

/// Low 64 bits.
#[inline(always)]
pub const fn low(x: u128) -> u64 {
    x as u64
}

/// High 64 bits.
#[inline(always)]
pub const fn high(x: u128) -> u64 {
    (x >> 64) as u64
}

/// Both halves put together.
#[inline(always)]
pub const fn join(high: u64, low: u64) -> u128 {
    ((high as u128) << 64) | low as u128
}

const HALF: u64 = 0xffff_ffff;

/// Full product of two words: (high, low), by schoolbook multiplication of 32-bit digits.
#[inline(always)]
fn multiply_words(a: u64, b: u64) -> (u64, u64) {
    let (a0, a1) = (a & HALF, a >> 32);
    let (b0, b1) = (b & HALF, b >> 32);
    let bottom = a0.wrapping_mul(b0);
    // Neither sum overflows: (2^32-1)^2 + 2^32-1 < 2^64.
    let left = a1.wrapping_mul(b0).wrapping_add(bottom >> 32);
    let right = a0.wrapping_mul(b1).wrapping_add(left & HALF);
    let top = a1.wrapping_mul(b1).wrapping_add(left >> 32).wrapping_add(right >> 32);
    (top, (right << 32) | (bottom & HALF))
}

/// `a * b`, wrapping. The same for signed and unsigned numbers.
#[inline(always)]
pub fn multiply(a: u128, b: u128) -> u128 {
    let (top, bottom) = multiply_words(low(a), low(b));
    let cross = high(a).wrapping_mul(low(b)).wrapping_add(low(a).wrapping_mul(high(b)));
    join(top.wrapping_add(cross), bottom)
}

/// Quotient and remainder of `n / d`. `d` is not 0: rustc tests for it before the call.
#[inline(always)]
pub fn div_rem(n: u128, d: u128) -> (u128, u128) {
    let (n1, n0, d1, d0) = (high(n), low(n), high(d), low(d));
    if less(n1, n0, d1, d0) {
        (0, n)
    } else if n1 == 0 {
        (join(0, n0 / d0), join(0, n0 % d0))
    } else if d1 == 0 && d0 <= HALF {
        div_rem_by_digit(n, d0)
    } else {
        div_rem_by_shifts(n, d)
    }
}

/// Quotient and remainder of two's complement numbers, rounded towards zero.
#[inline(always)]
pub fn div_rem_signed(n: u128, d: u128) -> (u128, u128) {
    let (n_negative, d_negative) = ((high(n) as i64) < 0, (high(d) as i64) < 0);
    let (q, r) = div_rem((n as i128).unsigned_abs(), (d as i128).unsigned_abs());
    (negate_if(n_negative != d_negative, q), negate_if(n_negative, r))
}

#[inline(always)]
fn negate_if(negative: bool, x: u128) -> u128 {
    if negative { x.wrapping_neg() } else { x }
}

#[inline(always)]
const fn less(a1: u64, a0: u64, b1: u64, b0: u64) -> bool {
    a1 < b1 || (a1 == b1 && a0 < b0)
}

/// Long division by a divisor of at most 32 bits, one 32-bit digit after the other.
#[inline(always)]
fn div_rem_by_digit(n: u128, d: u64) -> (u128, u128) {
    let (n1, n0) = (high(n), low(n));
    let mut rest = 0;
    let mut digit = |next: u64| {
        let part = (rest << 32) | next;
        rest = part % d;
        part / d
    };
    let q1 = (digit(n1 >> 32) << 32) | digit(n1 & HALF);
    let q0 = (digit(n0 >> 32) << 32) | digit(n0 & HALF);
    (join(q1, q0), join(0, rest))
}

/// Shift and subtract, from the position where the top bits of both numbers meet. `n >= d`.
#[inline(always)]
fn div_rem_by_shifts(n: u128, d: u128) -> (u128, u128) {
    let mut shift = leading_zeros(d) - leading_zeros(n);
    let (mut r1, mut r0) = (high(n), low(n));
    let (mut s1, mut s0) = (high(d << shift), low(d << shift));
    let (mut q1, mut q0) = (0u64, 0u64);
    loop {
        q1 = (q1 << 1) | (q0 >> 63);
        q0 <<= 1;
        if !less(r1, r0, s1, s0) {
            let borrow = u64::from(r0 < s0);
            r0 = r0.wrapping_sub(s0);
            r1 = r1.wrapping_sub(s1).wrapping_sub(borrow);
            q0 |= 1;
        }
        if shift == 0 {
            return (join(q1, q0), join(r1, r0));
        }
        s0 = (s0 >> 1) | (s1 << 63);
        s1 >>= 1;
        shift -= 1;
    }
}

#[inline(always)]
const fn leading_zeros(x: u128) -> u32 {
    if high(x) != 0 { high(x).leading_zeros() } else { 64 + low(x).leading_zeros() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values around every boundary the algorithms branch on, and some without pattern.
    fn samples() -> Vec<u128> {
        let mut out = vec![0, 1, 2, 3, 10, u128::MAX, i128::MAX as u128, i128::MIN as u128];
        for bits in [8, 16, 31, 32, 33, 48, 63, 64, 65, 95, 96, 97, 126, 127] {
            let power = 1u128 << bits;
            out.extend([power - 1, power, power + 1, power.wrapping_neg()]);
        }
        let mut state = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834u128;
        for at in 0..60 {
            state = state.wrapping_mul(0xda94_2042_e4dd_58b5).wrapping_add(0x1234_5678_9abc_def1);
            out.push(state >> (at * 2));
        }
        out
    }

    #[test]
    fn products_equal_the_hosts() {
        for a in samples() {
            for b in samples() {
                assert_eq!(multiply(a, b), a.wrapping_mul(b), "{a} * {b}");
            }
        }
    }

    #[test]
    fn quotients_and_remainders_equal_the_hosts() {
        for a in samples() {
            for b in samples().into_iter().filter(|b| *b != 0) {
                assert_eq!(div_rem(a, b), (a / b, a % b), "{a} / {b}");
                let (x, y) = (a as i128, b as i128);
                let host = (x.wrapping_div(y) as u128, x.wrapping_rem(y) as u128);
                assert_eq!(div_rem_signed(a, b), host, "{x} / {y}");
            }
        }
    }
}
