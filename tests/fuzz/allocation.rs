//! How much memory a thread holds: an allocator that counts, for a decoder that believes a length asks
//! for it all before a byte of it came, and an operating system that gives it says nothing of that.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// The bytes that this thread holds, less those that it let go of others.
    static HELD: Cell<isize> = const { Cell::new(0) };
    /// The most since it was asked for.
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn note(bytes: isize) {
    // A thread that ends has no counters any more, and is not asked for them.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: all is left to the system's allocator; what is counted lies in cells of the thread, which are
// there without an allocation.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size as isize - layout.size() as isize);
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What `work` gives, and how many bytes it held at once, at most, on this thread.
pub(super) fn measured<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let made = work();
    (made, usize::try_from(PEAK.get() - before).unwrap_or(0))
}

#[test]
fn what_is_held_at_once_is_counted() {
    let (kept, most) = measured(|| {
        drop(vec![1_u8; 3000]);
        Vec::<u8>::with_capacity(1 << 40 >> 20)
    });
    assert_eq!((kept.len(), most), (0, 1 << 20));
}
