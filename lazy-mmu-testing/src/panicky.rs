//! Code of the user's that panics at a chosen call.

use crate::prelude::*;

thread_local! {
    /// How many calls of the user's code are left before one panics.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// A call of the user's code.
pub fn called() {
    let left = LEFT.get();
    assert_ne!(left, 0, "provoked");
    LEFT.set(left - 1);
}

/// Runs `f`, in which the user's code panics after `calls` calls; whether it did.
pub fn panics_after<R>(calls: usize, f: impl FnOnce() -> R) -> bool {
    LEFT.set(calls);
    let panicked = unwinds(f);
    LEFT.set(usize::MAX);
    panicked
}

/// A leaf with these bits that needs the pair if it is valid. Each of its methods may panic.
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
