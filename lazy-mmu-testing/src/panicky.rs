//! Code of a user that panics at a chosen call.

use crate::prelude::*;

thread_local! {
    /// The number of calls of the user's code before the call that panics.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Counts a call of the user's code, and panics if its turn has come.
pub fn called() {
    let left = LEFT.get();
    assert_ne!(left, 0, "provoked");
    LEFT.set(left - 1);
}

/// Runs `f`, in which the user's code panics after `calls` calls. Returns whether it panicked.
pub fn panics_after<R>(calls: usize, f: impl FnOnce() -> R) -> bool {
    LEFT.set(calls);
    let panicked = unwinds(f);
    LEFT.set(usize::MAX);
    panicked
}

/// A leaf that needs the barrier pair if it is valid. Each of its methods may panic.
#[derive(Clone, Copy)]
pub struct Panicky(pub u64);

impl Descriptor for Panicky {
    fn bits(self) -> u64 {
        called();
        self.0
    }

    fn needs_barrier(self) -> bool {
        called();
        self.0 & VALID != 0
    }

    fn points_to_table(self) -> bool {
        called();
        false
    }
}

impl LeafDescriptor for Panicky {
    fn leaf(bits: u64) -> Self {
        called();
        Self(bits)
    }
}
