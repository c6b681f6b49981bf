//! `require!`: one rule that the program enforces, called a control. Anchor has a macro of the same
//! name; ours also gives every control a number. The mutation build (feature `mutants`, never
//! deployed) can switch one control off by its number, and `cargo xtask mutants` then shows which
//! test fails. `controls.tsv` lists all controls.

/// Returns `$error` unless `$holds`. Every file that uses this macro imports it by name: the
/// prelude's glob would bring in Anchor's macro, which no mutation can switch off.
macro_rules! require {
    ($holds:expr, $error:expr $(,)?) => {
        if !($holds)
            && $crate::runtime::require::is_on(
                const { $crate::runtime::require::id(module_path!(), line!()) },
            )
        {
            return Err($crate::error::to_error($error));
        }
    };
}
pub(crate) use require;

/// The number of the control in line `line` of `module`: FNV-1a over `module:line`, the line in
/// decimal digits. 32 bits of <http://www.isthe.com/chongo/tech/comp/fnv/>.
#[must_use]
#[allow(clippy::arithmetic_side_effects, reason = "adds a digit, divides by a unit of at least 1")]
pub const fn id(module: &str, line: u32) -> u32 {
    const fn step(hash: u32, byte: u8) -> u32 {
        (hash ^ byte as u32).wrapping_mul(0x0100_0193)
    }
    let (mut hash, mut rest) = (0x811c_9dc5, module.as_bytes());
    while let [first, others @ ..] = rest {
        hash = step(hash, *first);
        rest = others;
    }
    hash = step(hash, b':');
    let mut unit = 1_000_000_000;
    while unit > 0 {
        if line >= unit {
            hash = step(hash, b'0' + ((line / unit) % 10) as u8);
        }
        unit /= 10;
    }
    hash
}

/// Whether control `id` is enforced: always, except in the mutation build.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub(crate) const fn is_on(_id: u32) -> bool {
    true
}

/// `cargo xtask mutants` looks for this text in the ELF and writes into the four bytes behind it
/// which control is off: its number, little-endian, 0 for none.
#[cfg(all(feature = "mutants", target_os = "solana"))]
#[used]
static SWITCH: [u8; 20] = *b"control-switch:\0\0\0\0\0";

/// Whether control `id` is enforced.
#[cfg(all(feature = "mutants", target_os = "solana"))]
#[inline(never)]
pub(crate) fn is_on(id: u32) -> bool {
    #[allow(unsafe_code, reason = "the harness writes these bytes behind the compiler's back")]
    let off = unsafe { core::ptr::read_volatile(SWITCH.as_ptr().add(16).cast::<[u8; 4]>()) };
    u32::from_le_bytes(off) != id
}

/// Whether control `id` is enforced. Unit tests have no ELF to patch, so an environment variable
/// names the control that is off.
#[cfg(all(feature = "mutants", not(target_os = "solana")))]
pub(crate) fn is_on(id: u32) -> bool {
    static OFF: std::sync::OnceLock<Option<u32>> = std::sync::OnceLock::new();
    let read = || std::env::var("CONTROL_OFF").ok()?.parse().ok();
    *OFF.get_or_init(read) != Some(id)
}

#[cfg(test)]
mod tests {
    use super::id;

    #[test]
    fn a_control_is_numbered_by_module_and_line() {
        // FNV-1a 32 of "a:1" and "a:120", computed by hand from the definition.
        let fnv = |text: &str| {
            text.bytes().fold(0x811c_9dc5u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
        };
        for (module, line) in [("a", 1), ("a", 120), ("upgrade_manager::state::votes", 4_096)] {
            assert_eq!(id(module, line), fnv(&format!("{module}:{line}")));
        }
    }
}
