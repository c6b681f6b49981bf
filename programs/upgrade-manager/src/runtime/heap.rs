//! The program's heap: memory is handed out from its end downwards and never taken back, as the SDK's
//! allocator does it. Called instead of copied to every place that allocates: there are some 1,700,
//! mostly where the program refuses, and the compiler would copy 200 bytes to each, 28 % of the ELF.
//! All memory starts at a multiple of eight, where texts are checked eight bytes at a time: reading a
//! proposal, whose links are texts, costs each vote several hundred units less.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;

use anchor_lang::solana_program::entrypoint::{HEAP_LENGTH, HEAP_START_ADDRESS};

/// The first word of the heap: where the memory that was handed out begins, 0 before any was.
const TOP: *mut usize = HEAP_START_ADDRESS as *mut usize;
/// The lowest address to hand out.
const FIRST: usize = HEAP_START_ADDRESS as usize + size_of::<usize>();
/// Behind the heap.
const END: usize = HEAP_START_ADDRESS as usize + HEAP_LENGTH;

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

#[allow(unsafe_code, reason = "an allocator is unsafe by its nature")]
// SAFETY: the SVM reserves these addresses for the heap, sets them to zero, and runs one thread.
// Memory is handed out once, below all that was handed out before, so that no two places share any.
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
        // SAFETY: the caller's promise; what was never handed out is as the SVM made it: zeros.
        unsafe { self.alloc(layout) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
