//! Results of floating-point helpers that are narrower than a register. LLVM's caller takes it for
//! granted that a helper extends them to 64 bits: floats and unsigned integers with zeros, signed ones
//! with their sign. rustc's BPF target leaves the upper half of r0 undefined. So it is set after each
//! such call; where the caller does not care, that is two instructions too many.

use std::fmt::Write as _;

use crate::asm::{Callee, callee};

/// How a 32-bit result fills a 64-bit register.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Extension {
    Zero,
    Sign,
}

/// Functions of the C library that return an `f32` and that LLVM calls for an intrinsic.
const F32_MATH: [&str; 22] = [
    "ceilf",
    "copysignf",
    "cosf",
    "exp2f",
    "expf",
    "floorf",
    "fmaf",
    "fmaxf",
    "fminf",
    "fmodf",
    "ldexpf",
    "log10f",
    "log2f",
    "logf",
    "nearbyintf",
    "powf",
    "rintf",
    "roundevenf",
    "roundf",
    "sinf",
    "sqrtf",
    "truncf",
];

/// Comparisons return an `i32`: `__ltdf2`.
const COMPARISONS: [&str; 7] = ["eq", "ne", "lt", "le", "gt", "ge", "unord"];

fn extension(symbol: &str) -> Option<Extension> {
    if F32_MATH.contains(&symbol) {
        return Some(Extension::Zero);
    }
    let name = symbol.strip_prefix("__")?;
    if let Some(from) = name.strip_prefix("fixuns") {
        return is_to_i32(from).then_some(Extension::Zero);
    }
    if let Some(from) = name.strip_prefix("fix") {
        return is_to_i32(from).then_some(Extension::Sign);
    }
    if name.starts_with("float") {
        return name.ends_with("sf").then_some(Extension::Zero);
    }
    let (operation, is_single) = operation(name)?;
    if COMPARISONS.contains(&operation) {
        return Some(Extension::Sign);
    }
    is_single.then_some(Extension::Zero)
}

/// `sfsi`, `dfsi` and `tfsi`: from a float to a 32-bit integer.
fn is_to_i32(conversion: &str) -> bool {
    conversion.strip_suffix("si").is_some_and(|from| ["sf", "df", "tf"].contains(&from))
}

/// `add` of `addsf3`, and whether its result is an `f32`.
fn operation(name: &str) -> Option<(&str, bool)> {
    let name = name.strip_suffix(['2', '3'])?;
    ["sf", "df", "tf"].into_iter().find_map(|kind| Some((name.strip_suffix(kind)?, kind == "sf")))
}

/// Adds what sets the upper half of r0 after each call that needs it.
pub fn extend(assembly: &str) -> String {
    let mut text = String::with_capacity(assembly.len());
    for line in assembly.lines() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{line}");
        let Some(Callee::Symbol(symbol)) = callee(line) else {
            continue;
        };
        text.push_str(match extension(symbol) {
            Some(Extension::Zero) => "\tr0 <<= 32\n\tr0 >>= 32\n",
            Some(Extension::Sign) => "\tr0 <<= 32\n\tr0 s>>= 32\n",
            None => "",
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_32_bits_are_extended_as_their_type_says() {
        let zero =
            ["__addsf3", "__negsf2", "__truncdfsf2", "__floatundisf", "__fixunsdfsi", "sqrtf"];
        let sign = ["__ltdf2", "__unordsf2", "__fixsfsi", "__fixtfsi"];
        assert!(zero.iter().all(|name| extension(name) == Some(Extension::Zero)));
        assert!(sign.iter().all(|name| extension(name) == Some(Extension::Sign)));
    }

    #[test]
    fn wider_results_and_other_functions_are_left_alone() {
        for name in ["__adddf3", "__extendsfdf2", "__fixdfdi", "__fixunssfdi", "__floatdidf"] {
            assert_eq!(extension(name), None, "{name}");
        }
        for name in ["__multi3", "f", "sqrt", "addsf3", "sol_memcpy_"] {
            assert_eq!(extension(name), None, "{name}");
        }
    }

    #[test]
    fn the_extension_follows_the_call() {
        let text = extend("f:\n\tcall __addsf3\n\tr1 = r0\n\tcall g\n\tcall __ledf2\n");
        let expected = "f:\n\tcall __addsf3\n\tr0 <<= 32\n\tr0 >>= 32\n\tr1 = r0\n\tcall g\n\
                        \tcall __ledf2\n\tr0 <<= 32\n\tr0 s>>= 32\n";
        assert_eq!(text, expected);
    }
}
