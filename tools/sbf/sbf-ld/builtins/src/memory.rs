//! The C memory functions, on the SVM's system calls. A system call has a fixed price, so short
//! blocks are cheaper byte by byte.

/// Longest block that is handled in place.
const SHORT: usize = 16;

unsafe extern "C" {
    fn sol_memcpy_(to: *mut u8, from: *const u8, len: u64);
    fn sol_memmove_(to: *mut u8, from: *const u8, len: u64);
    fn sol_memset_(to: *mut u8, byte: u8, len: u64);
    fn sol_memcmp_(left: *const u8, right: *const u8, len: u64, order: *mut i32);
}

/// C's `memcpy`.
///
/// # Safety
/// As in C: both blocks are valid for `len` bytes and do not overlap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if len > SHORT {
        // SAFETY: the caller's promise is the system call's.
        unsafe { sol_memcpy_(to, from, len as u64) };
        return to;
    }
    let mut at = 0;
    while at < len {
        // SAFETY: `at` is below `len`.
        unsafe { to.add(at).write(from.add(at).read()) };
        at += 1;
    }
    to
}

/// C's `memmove`.
///
/// # Safety
/// As in C: both blocks are valid for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller's promise is the system call's, which allows an overlap.
    unsafe { sol_memmove_(to, from, len as u64) };
    to
}

/// C's `memset`.
///
/// # Safety
/// As in C: the block is valid for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    if len > SHORT {
        // SAFETY: the caller's promise is the system call's.
        unsafe { sol_memset_(to, byte as u8, len as u64) };
        return to;
    }
    let mut at = 0;
    while at < len {
        // SAFETY: `at` is below `len`.
        unsafe { to.add(at).write(byte as u8) };
        at += 1;
    }
    to
}

/// C's `memcmp`.
///
/// # Safety
/// As in C: both blocks are valid for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    if len > SHORT {
        let mut order = 0;
        // SAFETY: the caller's promise is the system call's, and `order` is a local.
        unsafe { sol_memcmp_(left, right, len as u64, &mut order) };
        return order;
    }
    let mut at = 0;
    while at < len {
        // SAFETY: `at` is below `len`.
        let (l, r) = unsafe { (left.add(at).read(), right.add(at).read()) };
        if l != r {
            return i32::from(l) - i32::from(r);
        }
        at += 1;
    }
    0
}

/// BSD's `bcmp`: zero where both blocks are equal.
///
/// # Safety
/// As for [`memcmp`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    // SAFETY: the same promise.
    unsafe { memcmp(left, right, len) }
}
