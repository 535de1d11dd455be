//! The mode switched off: every store is followed by its pair at once.

use core::marker::PhantomData;

use crate::backend::Backend;
use crate::bits::{Bits, Storage};

/// The backend `B` with the mode switched off: same API, same barrier, no sections.
///
/// Every store that needs the pair is followed by it at once; enter and leave compile to nothing, and no thread has
/// bits. For a kernel that wants to compare, or whose machine gains nothing from batching; the sections in its source
/// stay as they are.
pub struct Eager<B>(PhantomData<B>);

/// No bits: a thread that is paused forever, with `S` for the bits that the backend would have.
///
/// That is all the state machine need know to make each section inert and each store immediate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Off<S>(PhantomData<S>);

impl<S: Storage> Storage for Off<S> {
    /// The same: each section is one that has no effect on the thread.
    #[inline]
    fn inert() -> Self {
        Self(PhantomData)
    }

    #[inline]
    fn load(self) -> Bits {
        Bits::PAUSED
    }

    #[inline]
    unsafe fn set(self, _: Bits, _: Bits) {}

    #[inline]
    unsafe fn clear(self, _: Bits, _: Bits) {}
}

// SAFETY: no bits are ever set, so no pair is ever deferred; the barrier is `B`'s.
unsafe impl<B: Backend> Backend for Eager<B> {
    type Storage = Off<B::Storage>;

    #[inline]
    fn current() -> Self::Storage {
        Off::inert()
    }

    /// Never: it would change nothing, for every store is immediate anyway.
    #[inline]
    fn in_interrupt() -> bool {
        false
    }

    crate::forward_machine!(B);
}
