//! Arguments beyond the fifth. LLVM 23 puts them into an area addressed by r11, a register sBPF v0
//! does not have. Here they move into the reserved bytes at the bottom of the caller's own frame, and
//! every call that passes some hands the caller's frame pointer over in r0, which is free at a call.
//! So it does not matter where the SVM puts the next frame (sBPF v0 leaves gaps, v3 does not).
//!
//! The reserved bytes, by their distance below r10:
//!
//! | distance | holds |
//! |---|---|
//! | 4096 | the caller's frame pointer, saved on entry by a function that takes stack arguments |
//! | 4088 … 3984 | outgoing arguments |
//! | 3976 | the target of a call through r0, for [`TRAMPOLINE`] |

use std::{collections::HashSet, fmt::Write as _};

use anyhow::{Context as _, Result, bail};

use crate::{
    asm::{Callee, StackArgument, callee, functions, mentions, stack_argument},
    stack_frame::{FRAME, RESERVED},
};

/// Makes the call whose target its caller stored 3,976 bytes below its frame pointer (in r0). The SVM
/// saves and restores r6.
pub const TRAMPOLINE: &str = "\
\t.text
\t.p2align 3
\t.type sbf_callx,@function
sbf_callx:
\tr6 = *(u64 *)(r0 - 3976)
\tcallx r6
\texit
.Lsbf_end_callx:
\t.size sbf_callx, .Lsbf_end_callx-sbf_callx
";

const SAVE_CALLERS_FRAME: &str = "\t*(u64 *)(r10 - 4096) = r0";
const PASS_FRAME: &str = "\tr0 = r10";
const STORE_TARGET: &str = "\t*(u64 *)(r10 - 3976) = r0";
const CALL_TRAMPOLINE: &str = "\tcall sbf_callx";

/// Assembly without r11.
#[derive(Debug)]
pub struct Lowered {
    pub text: String,
    /// How many functions take arguments on the stack.
    pub functions: usize,
    pub needs_trampoline: bool,
}

/// Rewrites every use of r11; an error where one is not understood.
pub fn lower(assembly: &str) -> Result<Lowered> {
    let lines: Vec<&str> = assembly.lines().collect();
    let functions = functions(&lines);
    let takers: HashSet<&str> = functions
        .iter()
        .filter(|f| offsets(&lines, f.body.clone()).any(|offset| offset > 0))
        .map(|f| f.name)
        .collect();
    let mut out = Lowered { text: String::new(), functions: takers.len(), needs_trampoline: false };
    let mut next = 0;
    for function in &functions {
        outside(lines.get(next..function.body.start).unwrap_or_default(), &mut out.text)?;
        if takers.contains(function.name) {
            push(&mut out.text, SAVE_CALLERS_FRAME);
        }
        let passes = offsets(&lines, function.body.clone()).any(|offset| offset < 0);
        for line in lines.get(function.body.clone()).unwrap_or_default() {
            instruction(line, &takers, passes, &mut out)
                .with_context(|| format!("in function {}", function.name))?;
        }
        next = function.body.end;
    }
    outside(lines.get(next..).unwrap_or_default(), &mut out.text)?;
    Ok(out)
}

fn offsets(lines: &[&str], body: std::ops::Range<usize>) -> impl Iterator<Item = i64> {
    let body = lines.get(body).unwrap_or_default();
    body.iter().filter_map(|line| stack_argument(line)).map(|argument| argument.offset)
}

/// Lines of no function: they stay, and cannot hold a stack argument.
fn outside(lines: &[&str], text: &mut String) -> Result<()> {
    for line in lines {
        if stack_argument(line).is_some() {
            bail!("a stack argument outside of any function: {}", line.trim());
        }
        push(text, line);
    }
    Ok(())
}

/// One line of a function that `passes` arguments on the stack or not.
fn instruction(line: &str, takers: &HashSet<&str>, passes: bool, out: &mut Lowered) -> Result<()> {
    if let Some(argument) = stack_argument(line) {
        return access(line, argument, &mut out.text);
    }
    match callee(line) {
        Some(Callee::Symbol(name)) if takers.contains(name) => push(&mut out.text, PASS_FRAME),
        Some(Callee::Register("r0")) if passes => {
            // r0 is taken by the frame pointer: the trampoline makes this call.
            out.needs_trampoline = true;
            push(&mut out.text, STORE_TARGET);
            push(&mut out.text, PASS_FRAME);
            push(&mut out.text, CALL_TRAMPOLINE);
            return Ok(());
        }
        // Which function it reaches is not known: it may take what this one passed.
        Some(Callee::Register(_)) if passes => push(&mut out.text, PASS_FRAME),
        None if mentions(line, "r11") && !line.trim_end().ends_with(" ll") => {
            bail!("a use of r11 that is not understood: {}", line.trim());
        }
        _ => {}
    }
    push(&mut out.text, line);
    Ok(())
}

/// The same load or store in the reserved bytes of the frame that holds the argument.
fn access(line: &str, argument: StackArgument<'_>, text: &mut String) -> Result<()> {
    let StackArgument { before, after, offset } = argument;
    let position = offset.abs();
    if position == 0 || position % 8 != 0 || position >= RESERVED - 8 {
        bail!("more arguments on the stack than fit into {RESERVED} bytes: {}", line.trim());
    }
    let distance = FRAME - position;
    if offset < 0 {
        push(text, &format!("{before}(r10 - {distance}){after}"));
        return Ok(());
    }
    let (target, _) = line
        .trim()
        .split_once(" = ")
        .with_context(|| format!("a read of a stack argument without a target: {}", line.trim()))?;
    // The 64-bit register of the same number, free because the load is about to write it.
    let base = target.replace('w', "r");
    push(text, &format!("\t{base} = *(u64 *)(r10 - {FRAME})"));
    push(text, &format!("{before}({base} - {distance}){after}"));
    Ok(())
}

fn push(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function as LLVM prints it.
    fn function(name: &str, body: &str) -> String {
        format!("\t.type\t{name},@function\n{name}:\n{body}.Lfunc_end_{name}:\n")
    }

    #[test]
    fn assembly_without_stack_arguments_stays_as_it_is() {
        let text = function("f", "\tr1 = 5\n\tcall g\n\tcallx r2\n\texit\n");
        let lowered = lower(&text).unwrap();
        assert_eq!(lowered.text, text);
        assert_eq!(lowered.functions, 0);
        assert!(!lowered.needs_trampoline);
    }

    #[test]
    fn a_taker_saves_the_callers_frame_and_reads_through_it() {
        let taker = function("t", "\tr3 = *(u64 *)(r11 + 16)\n\texit\n");
        let lowered = lower(&taker).unwrap();
        let body = "\t*(u64 *)(r10 - 4096) = r0\n\tr3 = *(u64 *)(r10 - 4096)\n\
                    \tr3 = *(u64 *)(r3 - 4080)\n\texit\n";
        assert_eq!(lowered.text, function("t", body));
        assert_eq!(lowered.functions, 1);
    }

    #[test]
    fn a_caller_writes_into_its_own_frame_and_passes_it() {
        let taker = function("t", "\tr3 = *(u64 *)(r11 + 8)\n\texit\n");
        let caller = function("c", "\t*(u64 *)(r11 - 8) = r2\n\tcall t\n\tcall u\n\texit\n");
        let text = lower(&(taker + &caller)).unwrap().text;
        let body = "\t*(u64 *)(r10 - 4088) = r2\n\tr0 = r10\n\tcall t\n\tcall u\n\texit\n";
        assert!(text.ends_with(&function("c", body)), "{text}");
    }

    #[test]
    fn a_call_at_the_top_of_a_taker_gets_both_insertions() {
        let text =
            lower(&function("t", "\tcall t\n\tr3 = *(u64 *)(r11 + 8)\n\texit\n")).unwrap().text;
        let start = "t:\n\t*(u64 *)(r10 - 4096) = r0\n\tr0 = r10\n\tcall t\n";
        assert!(text.contains(start), "{text}");
    }

    #[test]
    fn indirect_calls_pass_the_frame_only_where_something_was_passed() {
        let passing = function("p", "\t*(u64 *)(r11 - 8) = r2\n\tcallx r4\n\texit\n");
        assert!(lower(&passing).unwrap().text.contains("\tr0 = r10\n\tcallx r4\n"));
        let plain = function("q", "\tcallx r0\n\texit\n");
        assert_eq!(lower(&plain).unwrap().text, plain);
    }

    #[test]
    fn a_call_through_r0_goes_over_the_trampoline() {
        let caller = function("c", "\t*(u64 *)(r11 - 8) = r2\n\tcallx r0\n\texit\n");
        let lowered = lower(&caller).unwrap();
        let call = "\t*(u64 *)(r10 - 3976) = r0\n\tr0 = r10\n\tcall sbf_callx\n";
        assert!(lowered.text.contains(call), "{}", lowered.text);
        assert!(lowered.needs_trampoline);
    }

    #[test]
    fn the_last_argument_slot_is_above_the_trampolines() {
        let fits = function("f", "\t*(u64 *)(r11 - 112) = r2\n");
        assert!(lower(&fits).unwrap().text.contains("(r10 - 3984)"));
        let too_many = function("f", "\t*(u64 *)(r11 - 120) = r2\n");
        let error = format!("{:#}", lower(&too_many).unwrap_err());
        assert!(error.contains("in function f") && error.contains("128 bytes"), "{error}");
    }

    #[test]
    fn any_other_use_of_r11_is_refused() {
        assert!(lower(&function("f", "\tr1 = r11\n")).is_err());
        assert!(lower("\t*(u64 *)(r11 - 8) = r2\n").is_err());
        assert!(lower(&function("f", "\tr1 = r11 ll\n")).is_ok());
    }
}
