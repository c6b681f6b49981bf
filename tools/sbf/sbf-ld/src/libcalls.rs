//! What the generated assembly may not contain: calls that nothing answers, 128-bit helpers with the
//! wrong calling convention, and instructions newer than sBPF v0.
//!
//! LLVM calls `__multi3` and its kin for a result in r0 and r2; rustc compiles the definitions in
//! `compiler_builtins` with the result in memory. A program must get neither linked to the other.

use std::collections::{BTreeSet, HashSet};

use anyhow::{Result, bail};

use crate::{
    adapters,
    asm::{Callee, callee, is_instruction, label, mentions},
};

/// Called by generated code and answered by the SVM or never reached.
const KNOWN: [&str; 2] = ["abort", "__bpf_trap"];

/// Instructions of newer BPF versions, by what their text contains.
const TOO_NEW: [&str; 8] =
    ["gotol", "may_goto", "bswap", "(s8", "(s16", "(s32", "cmpxchg", "lock "];

/// The functions that are called and not defined, by the names to look for in the run-time helpers.
pub fn missing(assembly: &str) -> Result<BTreeSet<String>> {
    let defined: HashSet<&str> = assembly.lines().filter_map(label).collect();
    if let Some(name) = defined.iter().find(|name| adapters::answers(name)) {
        bail!("the program defines {name}, which only the linker driver may");
    }
    let mut missing = BTreeSet::new();
    for line in assembly.lines() {
        if let Some(Callee::Symbol(name)) = callee(line) {
            if is_int128_helper(name) && !adapters::answers(name) {
                bail!("the program calls {name}, a 128-bit helper that is not supported");
            }
            let name = adapters::implementation(name);
            let answered = defined.contains(name.as_str()) || name.starts_with("sol_");
            if !answered && !KNOWN.contains(&name.as_str()) {
                missing.insert(name);
            }
        } else if is_instruction(line) && is_too_new(line.trim()) {
            bail!("an instruction that sBPF v0 does not have: {}", line.trim());
        }
    }
    Ok(missing)
}

/// Compiler helpers on 128-bit integers have "ti" in their names: `__udivti3`, `__fixdfti`.
fn is_int128_helper(name: &str) -> bool {
    name.strip_prefix("__").is_some_and(|name| name.len() <= 12 && name.contains("ti"))
}

fn is_too_new(code: &str) -> bool {
    // The address of a symbol: its name says nothing about the instruction.
    if code.ends_with(" ll") {
        return false;
    }
    TOO_NEW.iter().any(|text| code.contains(text))
        || (0..=10).any(|number| mentions(code, &format!("w{number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(assembly: &str) -> Vec<String> {
        missing(assembly).unwrap().into_iter().collect()
    }

    #[test]
    fn calls_are_answered_by_the_program_the_system_or_nobody() {
        let text = "f:\n\tcall f\n\tcall sol_log_\n\tcall abort\n\tcall __muldf3\n\tcallx r1\n";
        assert_eq!(names(text), ["__muldf3"]);
    }

    #[test]
    fn a_128_bit_helper_asks_for_what_its_adapter_calls() {
        assert_eq!(names("\tcall __multi3\n"), ["sbf_multi3"]);
        assert!(names("sbf_multi3:\n\tcall __multi3\n").is_empty());
    }

    #[test]
    fn a_wrong_calling_convention_is_refused() {
        assert!(missing("\tcall __fixdfti\n").is_err());
        assert!(missing("__multi3:\n\texit\n").is_err());
    }

    #[test]
    fn newer_instructions_are_refused_and_names_are_not_instructions() {
        for code in
            ["w1 = 5", "if w2 > 3 goto x", "r1 = *(s32 *)(r2 + 0)", "lock *(u64 *)(r1) += r2"]
        {
            assert!(missing(&format!("\t{code}\n")).is_err(), "{code}");
        }
        assert!(names("\tr1 = w1 ll\n\t.asciz \"w1 lock bswap\"\n").is_empty());
    }
}
