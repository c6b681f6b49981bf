//! Calls with more arguments than registers, in every way a function can be called. No
//! dependencies: the test compiles this file for the host.

use std::hint::black_box;

trait Mix {
    #[expect(clippy::too_many_arguments, reason = "arguments on the stack are what is tested")]
    fn mix(&self, a: u64, b: u32, c: i16, d: u8, e: u64, f: i64, g: u128) -> u128;
}

struct Sum(u64);
struct Xor(u128);

impl Mix for Sum {
    #[inline(never)]
    fn mix(&self, a: u64, b: u32, c: i16, d: u8, e: u64, f: i64, g: u128) -> u128 {
        let words = black_box([a, u64::from(b), c as u64, u64::from(d)]);
        let sum = words.iter().fold(self.0, |sum, word| sum.wrapping_add(*word));
        u128::from(sum).wrapping_add(u128::from(e) * 3).wrapping_add(f as u128).wrapping_add(g)
    }
}

impl Mix for Xor {
    #[inline(never)]
    fn mix(&self, a: u64, b: u32, c: i16, d: u8, e: u64, f: i64, g: u128) -> u128 {
        let high = u128::from(a) << 64 ^ u128::from(d) << 100;
        self.0 ^ high ^ u128::from(b) ^ c as u128 ^ u128::from(e) ^ f as u128 ^ g
    }
}

/// Recursion with locals and stack arguments at every level, and a reference among them.
#[inline(never)]
#[expect(clippy::too_many_arguments, reason = "arguments on the stack are what is tested")]
fn descend(a: u64, b: u8, c: u16, d: u32, e: u64, f: i64, g: i8, trace: &mut Vec<u64>) -> u64 {
    let here =
        black_box(a) ^ u64::from(b) << 8 ^ u64::from(c) << 16 ^ u64::from(d) ^ e.rotate_left(9);
    trace.push(here);
    if a == 0 {
        return here.wrapping_add(f as u64).wrapping_add(g as u64);
    }
    let locals = black_box([here, e, f as u64, g as u64]);
    let below = descend(
        a - 1,
        b.wrapping_add(1),
        c ^ 0x55,
        d.rotate_left(3),
        e.wrapping_add(7),
        f.wrapping_sub(1),
        g.wrapping_neg(),
        trace,
    );
    locals.iter().fold(below, |sum, local| sum.wrapping_mul(31).wrapping_add(*local))
}

type Function = fn(u64, u64, u64, u64, u64, u64, u64) -> u64;

#[inline(never)]
fn forward(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64) -> u64 {
    black_box(a) ^ b.rotate_left(8) ^ c.rotate_left(16) ^ d.rotate_left(24) ^ e ^ f << 1 ^ g << 2
}

#[inline(never)]
fn backward(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64) -> u64 {
    forward(g, f, e, d, c, b, a).wrapping_add(black_box(g))
}

/// Nearly a whole stack frame of locals.
#[inline(never)]
fn large_frame(seed: u64) -> u64 {
    let mut values = [0u64; 400];
    for (at, value) in values.iter_mut().enumerate() {
        *value = seed.wrapping_mul(at as u64 + 1);
    }
    let values = black_box(&mut values);
    values.reverse();
    values.iter().fold(0, |sum, value| sum.rotate_left(5) ^ value)
}

/// Plain recursion close to the SVM's depth limit for the rest.
#[inline(never)]
fn fibonacci(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
}

/// A result of each kind of call.
pub fn run(depth: u64, a: u64, b: i64, c: u128, kind: u8) -> [u128; 4] {
    let mut trace = vec![];
    let direct = descend(depth, 3, 500, 70_000, a, b, -5, &mut trace);
    let object: Box<dyn Mix> = if kind == 0 { Box::new(Sum(77)) } else { Box::new(Xor(c >> 3)) };
    let virtual_call = object.mix(depth, 4_000_000_000, -3, 250, a, b, c);
    let function: Function = black_box(if kind == 0 { forward } else { backward });
    let pointer = function(a, depth, b as u64, c as u64, 5, 6, 7);
    let frames = fibonacci(10) ^ large_frame(a);
    let traced = trace.iter().fold(0u64, |sum, here| sum.rotate_left(3) ^ here);
    [
        u128::from(direct) << 64 | u128::from(traced),
        virtual_call,
        u128::from(pointer),
        frames.into(),
    ]
}
