use super::*;

/// Fills `bytes` bytes from `at`, with what depends on the place.
fn fill(at: *mut u8, bytes: usize) {
    for n in 0..bytes {
        // SAFETY: the caller has allocated that many.
        unsafe { at.add(n).write((n % 251) as u8) };
    }
}

fn holds(at: *const u8, bytes: usize) -> bool {
    // SAFETY: as in `fill`.
    (0..bytes).all(|n| unsafe { at.add(n).read() } == (n % 251) as u8)
}

#[test]
fn what_is_in_it_survives_a_change_of_allocator() {
    let sizes = [1, 100, LARGE - 1, LARGE, LARGE + 1, 10 * LARGE, LARGE - 2, 17];
    for align in [1, 8, 64, 4096] {
        let mut layout = Layout::from_size_align(sizes[0], align).unwrap();
        // SAFETY: the layout has a size, is the one of each step's allocation, and goes back with the last.
        unsafe {
            let mut at = BySize.alloc(layout);
            fill(at, layout.size());
            for bytes in sizes.into_iter().skip(1) {
                at = BySize.realloc(at, layout, bytes);
                assert!(!at.is_null() && at.addr().is_multiple_of(align));
                assert!(
                    holds(at, layout.size().min(bytes)),
                    "{} to {bytes}",
                    layout.size()
                );
                layout = Layout::from_size_align(bytes, align).unwrap();
                fill(at, bytes);
            }
            BySize.dealloc(at, layout);
        }
    }
}

#[test]
fn zeroed_is_zero_on_both_sides() {
    for bytes in [LARGE - 1, LARGE] {
        let layout = Layout::from_size_align(bytes, 16).unwrap();
        // SAFETY: the layout has a size and goes back as it came.
        unsafe {
            let dirty = BySize.alloc(layout);
            fill(dirty, bytes);
            BySize.dealloc(dirty, layout);
            let at = BySize.alloc_zeroed(layout);
            assert!((0..bytes).all(|n| at.add(n).read() == 0));
            BySize.dealloc(at, layout);
        }
    }
}
