//! Adapters between the two calling conventions of 128-bit helpers: LLVM expects a result in r0 and
//! r2, `builtins/src/exports.rs` writes it to memory that its first argument points to.

use std::fmt::Write as _;

use crate::asm::{Callee, callee};

/// The helpers that builtins implements, without the leading underscores.
const HELPERS: [&str; 5] = ["multi3", "udivti3", "umodti3", "divti3", "modti3"];

fn helper(symbol: &str) -> Option<&str> {
    symbol.strip_prefix("__").filter(|name| HELPERS.contains(name))
}

/// Whether an adapter answers calls of `symbol`.
pub fn answers(symbol: &str) -> bool {
    helper(symbol).is_some()
}

/// The function that a call of `symbol` ends in.
pub fn implementation(symbol: &str) -> String {
    match helper(symbol) {
        Some(name) => format!("sbf_{name}"),
        None => symbol.to_owned(),
    }
}

/// The adapters that `assembly` calls, as assembly to append.
pub fn int128(assembly: &str) -> String {
    let mut text = String::from("\t.text\n");
    for name in HELPERS {
        let symbol = format!("__{name}");
        if assembly.lines().any(|line| callee(line) == Some(Callee::Symbol(&symbol))) {
            adapter(&mut text, name);
        }
    }
    text
}

/// Moves the four words one argument up, makes room for the result, and loads it.
fn adapter(text: &mut String, name: &str) {
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\
\t.p2align 3
\t.type __{name},@function
__{name}:
\tr5 = r4
\tr4 = r3
\tr3 = r2
\tr2 = r1
\tr1 = r10
\tr1 += -16
\tcall sbf_{name}
\tr0 = *(u64 *)(r10 - 16)
\tr2 = *(u64 *)(r10 - 8)
\texit
.Lsbf_end_{name}:
\t.size __{name}, .Lsbf_end_{name}-__{name}
"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_adapters_that_are_called_are_added() {
        let text = int128("\tcall __udivti3\n\tr1 = __multi3 ll\n");
        assert!(text.contains("\n__udivti3:\n") && text.contains("\tcall sbf_udivti3\n"));
        assert!(!text.contains("multi3"));
        assert_eq!(int128("\tcall f\n"), "\t.text\n");
    }

    #[test]
    fn other_symbols_are_their_own_implementation() {
        assert_eq!(implementation("__modti3"), "sbf_modti3");
        assert_eq!(implementation("__muldf3"), "__muldf3");
        assert_eq!(implementation("multi3"), "multi3");
    }
}
