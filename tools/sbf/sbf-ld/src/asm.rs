//! Reading LLVM's BPF assembly, line by line: only as much of it as the rewriting needs.

use std::{collections::HashSet, ops::Range};

/// What a call instruction calls.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Callee<'a> {
    Symbol(&'a str),
    Register(&'a str),
}

/// The target of the call in `line`, if it is one.
pub fn callee(line: &str) -> Option<Callee<'_>> {
    let code = line.trim();
    if let Some(register) = code.strip_prefix("callx ") {
        return Some(Callee::Register(register.trim()));
    }
    code.strip_prefix("call ").map(|symbol| Callee::Symbol(symbol.trim()))
}

/// The name of the label that `line` is, if it is one.
pub fn label(line: &str) -> Option<&str> {
    line.strip_suffix(':').filter(|name| !name.starts_with([' ', '\t']))
}

/// A use of LLVM's stack argument area: a memory operand on register r11.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub struct StackArgument<'a> {
    /// The line up to the operand's opening parenthesis.
    pub before: &'a str,
    /// The line after its closing one.
    pub after: &'a str,
    /// Positive where a function reads its own argument, negative where a caller writes one.
    pub offset: i64,
}

/// The stack argument in `line`, if it has one.
pub fn stack_argument(line: &str) -> Option<StackArgument<'_>> {
    let (before, rest) = line.split_once("(r11 ")?;
    let (offset, after) = rest.split_once(')')?;
    let offset = offset.replace(' ', "").parse().ok()?;
    Some(StackArgument { before, after, offset })
}

/// Whether `line` is an instruction, not a label or a directive.
pub fn is_instruction(line: &str) -> bool {
    line.starts_with('\t') && !line.trim_start().starts_with(['.', '#'])
}

/// Whether `line` mentions the register `name` as a word of its own.
pub fn mentions(line: &str, name: &str) -> bool {
    line.split(|c: char| !c.is_ascii_alphanumeric() && !"_.$".contains(c)).any(|word| word == name)
}

/// A function and the lines between its label and its end.
#[derive(Debug)]
pub struct Function<'a> {
    pub name: &'a str,
    pub body: Range<usize>,
}

/// Every function in `lines`, in their order.
pub fn functions<'a>(lines: &[&'a str]) -> Vec<Function<'a>> {
    let names: HashSet<&str> = lines.iter().filter_map(|line| declared_function(line)).collect();
    let mut found: Vec<Function<'a>> = vec![];
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = label(line) else { continue };
        if names.contains(name) {
            found.push(Function { name, body: at + 1..lines.len() });
        } else if name.starts_with(".Lfunc_end")
            && let Some(open) = found.last_mut()
        {
            open.body.end = at;
        }
    }
    found
}

/// `NAME` of a directive `.type NAME,@function`.
fn declared_function(line: &str) -> Option<&str> {
    line.trim().strip_prefix(".type")?.trim().strip_suffix(",@function")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_by_name_and_by_register() {
        assert_eq!(callee("\tcall f"), Some(Callee::Symbol("f")));
        assert_eq!(callee("\tcallx r3"), Some(Callee::Register("r3")));
        assert_eq!(callee("\tr1 = call_me ll"), None);
    }

    #[test]
    fn stack_arguments_in_loads_and_stores() {
        let load = stack_argument("\tr1 = *(u64 *)(r11 + 16)").unwrap();
        assert_eq!((load.before, load.offset, load.after), ("\tr1 = *(u64 *)", 16, ""));
        let store = stack_argument("\t*(u64 *)(r11 - 8) = r2").unwrap();
        assert_eq!((store.before, store.offset, store.after), ("\t*(u64 *)", -8, " = r2"));
        assert_eq!(stack_argument("\tr1 = *(u64 *)(r10 - 8)"), None);
    }

    #[test]
    fn words_are_whole_words() {
        assert!(mentions("\tif w1 > 2 goto x", "w1"));
        assert!(!mentions("\tr1 = w1_table ll", "w1"));
        assert!(!mentions("\tr1 = sw1 ll", "w1"));
    }

    #[test]
    fn functions_end_at_their_end_label() {
        let text = "\t.type\ta,@function\na:\n\texit\n.Lfunc_end0:\n\t.type\tb,@function\nb:\n\
                    .LBB1_1:\n\texit\n.Lfunc_end1:";
        let lines: Vec<&str> = text.lines().collect();
        let found: Vec<_> = functions(&lines).into_iter().map(|f| (f.name, f.body)).collect();
        assert_eq!(found, [("a", 2..3), ("b", 6..8)]);
    }
}
