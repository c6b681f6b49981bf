//! The program's allocator. Like the SDK's, it hands memory out from the end of the heap downwards
//! and never frees any. Unlike the SDK's, it is never inlined: about 1,700 places allocate, mostly
//! to return an error, and 200 inlined bytes at each were 28 % of the ELF.
//!
//! All memory starts at a multiple of eight. UTF-8 is then checked eight bytes at a time, which
//! saves each vote several hundred compute units, because a proposal holds three texts.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;

use anchor_lang::solana_program::entrypoint::{HEAP_LENGTH, HEAP_START_ADDRESS};

/// The first word of the heap holds the lowest address that was handed out, 0 before the first.
const TOP: *mut usize = HEAP_START_ADDRESS as *mut usize;
/// The lowest address to hand out.
const FIRST: usize = HEAP_START_ADDRESS as usize + size_of::<usize>();
/// The first address behind the heap.
const END: usize = HEAP_START_ADDRESS as usize + HEAP_LENGTH;

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

#[allow(unsafe_code, reason = "an allocator is unsafe by its nature")]
// SAFETY: the SVM reserves these addresses for the heap, sets them to zero, and runs one thread.
// Every allocation lies below all earlier ones, so no two overlap.
unsafe impl GlobalAlloc for Heap {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: nothing but this function uses the word at `TOP`, which is aligned.
        let top = match unsafe { TOP.read() } {
            0 => END,
            top => top,
        };
        // An alignment is a power of two.
        let below = layout.align().wrapping_sub(1) | 7;
        let start = top.wrapping_sub(layout.size()) & !below;
        if start < FIRST || start > top {
            return ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { TOP.write(start) };
        start as *mut u8
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`; the SVM zeroed the heap, and no address
        // is handed out twice, so this memory is still zero.
        unsafe { self.alloc(layout) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
