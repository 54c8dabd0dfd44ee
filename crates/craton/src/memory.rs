//! The process's allocator: mimalloc for what is small, the operating system's for what is large.
//!
//! Invariants
//! - an allocation goes back to the allocator that it came from: which one it was follows from its layout's size alone;
//! - what is large is with the operating system's allocator, which gives it back whichever thread frees it
//!   (`docs/decisions/0027-two-allocators.md` says what happened otherwise).
//!
//! This is the only module of the project with `unsafe` code: Rust has no safe way to name an allocator of one's own.
//!
//! Deliberately absent: budgets, which are the store's.

#![allow(
    unsafe_code,
    reason = "an allocator can not be put together from two without it"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr,
};

use mimalloc::MiMalloc;

/// Allocations from this size on, in bytes, are the operating system's.
const LARGE: usize = 16 << 10;

/// The allocator.
pub(crate) struct BySize;

const fn is_small(bytes: usize) -> bool {
    bytes < LARGE
}

// SAFETY: every method hands its arguments on, as they came, to an allocator that keeps the trait's contract. `dealloc` and
// `realloc` are called with the layout of the allocation (the contract of the caller), so they find the allocator that made
// it; `realloc` from one to the other is an allocation, a copy of the bytes that both have, and a release.
unsafe impl GlobalAlloc for BySize {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe {
            match is_small(layout.size()) {
                true => MiMalloc.alloc(layout),
                false => System.alloc(layout),
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        unsafe {
            match is_small(layout.size()) {
                true => MiMalloc.alloc_zeroed(layout),
                false => System.alloc_zeroed(layout),
            }
        }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` was allocated with `layout`, so by the allocator that `layout` leads to.
        unsafe {
            match is_small(layout.size()) {
                true => MiMalloc.dealloc(at, layout),
                false => System.dealloc(at, layout),
            }
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`; where the allocator stays the same the call is its own.
        unsafe {
            match (is_small(layout.size()), is_small(bytes)) {
                (true, true) => MiMalloc.realloc(at, layout, bytes),
                (false, false) => System.realloc(at, layout, bytes),
                _ => self.moved(at, layout, bytes),
            }
        }
    }
}

impl BySize {
    /// Reallocates from one allocator to the other.
    ///
    /// # Safety
    /// As [`GlobalAlloc::realloc`].
    unsafe fn moved(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: `realloc`'s caller promises that `bytes`, rounded up to the alignment, is no more than `isize::MAX`, and that it
        // is not zero; the two allocations do not overlap, and both have the lesser of the sizes.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(bytes, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(at, new, layout.size().min(bytes));
                self.dealloc(at, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests;
