//! What the program refuses: every rule is one `require!`, so that they can be counted, and so that
//! the mutation build (feature `mutants`, never deployed) can switch one of them off and show which
//! test notices.

/// Refuses with `$error` unless `$holds`.
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
#[allow(clippy::arithmetic_side_effects, reason = "a digit, and a unit that is at least one")]
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

/// Whether control `id` is enforced: always, but in the mutation build.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub(crate) const fn is_on(_id: u32) -> bool {
    true
}

/// What the mutation harness looks for in the ELF; the four bytes behind it say which control is
/// off, little-endian, 0 for none.
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

/// Whether control `id` is enforced: the unit tests, which have no ELF, are told by a variable.
#[cfg(all(feature = "mutants", not(target_os = "solana")))]
pub(crate) fn is_on(id: u32) -> bool {
    static OFF: std::sync::OnceLock<Option<u32>> = std::sync::OnceLock::new();
    let told = || std::env::var("CONTROL_OFF").ok()?.parse().ok();
    *OFF.get_or_init(told) != Some(id)
}

#[cfg(test)]
mod tests {
    use super::id;

    #[test]
    fn a_control_is_numbered_by_its_place() {
        // FNV-1a 32 of "a:1" and "a:120", computed by hand from the definition.
        let fnv = |text: &str| {
            text.bytes().fold(0x811c_9dc5u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
        };
        for (module, line) in [("a", 1), ("a", 120), ("upgrade_manager::state::votes", 4_096)] {
            assert_eq!(id(module, line), fnv(&format!("{module}:{line}")));
        }
    }
}
