//! Backends of a test's own: another one, of which the test changes a part.

use std::marker::PhantomData;

use crate::prelude::*;

/// What a test changes of the backend [`Inner`](Self::Inner). All else is that one's.
pub trait Change: 'static {
    /// The backend that is changed.
    type Inner: Backend;
    /// The machine: that of `Inner`, or another one.
    type Machine: Machine;

    /// Whether this is an interrupt.
    fn in_interrupt() -> bool {
        Self::Inner::in_interrupt()
    }

    /// Whether there are hooks.
    const HAS_HOOKS: bool = Self::Inner::HAS_HOOKS;

    /// The hook of the beginning.
    fn mode_begins() {
        Self::Inner::mode_begins();
    }

    /// The hook of the end.
    fn mode_ends() {
        Self::Inner::mode_ends();
    }

    /// A look at the bits.
    fn look(look: impl FnOnce() -> Bits) -> Bits {
        look()
    }

    /// A change of the bits.
    fn change(change: impl FnOnce()) {
        change();
    }
}

/// The backend that is changed as `C` says.
pub struct Changed<C>(PhantomData<C>);

// SAFETY: nothing walks the tables of a test, so no promise of a backend is needed for memory
// safety. The bits are those of `Inner`.
unsafe impl<C: Change> Backend for Changed<C> {
    type Storage = ChangedBits<C>;
    type Machine = C::Machine;

    fn current() -> ChangedBits<C> {
        ChangedBits(C::Inner::current())
    }

    fn in_interrupt() -> bool {
        C::in_interrupt()
    }

    const HAS_HOOKS: bool = C::HAS_HOOKS;

    fn mode_begins() {
        C::mode_begins();
    }

    fn mode_ends() {
        C::mode_ends();
    }
}

/// The bits of [`Changed`].
pub struct ChangedBits<C: Change>(<C::Inner as Backend>::Storage);

impl<C: Change> Clone for ChangedBits<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Change> Copy for ChangedBits<C> {}

impl<C: Change> PartialEq for ChangedBits<C> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<C: Change> Storage for ChangedBits<C> {
    fn inert() -> Self {
        Self(Storage::inert())
    }

    fn load(self) -> Bits {
        C::look(|| self.0.load())
    }

    unsafe fn set(self, seen: Bits, bits: Bits) {
        // SAFETY: passed on.
        C::change(|| unsafe { self.0.set(seen, bits) });
    }

    unsafe fn clear(self, seen: Bits, bits: Bits) {
        // SAFETY: passed on.
        C::change(|| unsafe { self.0.clear(seen, bits) });
    }
}
