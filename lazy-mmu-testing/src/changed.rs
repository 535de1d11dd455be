//! Backends for tests, which change a part of another backend.

use std::marker::PhantomData;

use crate::prelude::*;

/// The changes to the backend [`Inner`](Self::Inner). The default of each item is that of `Inner`.
pub trait Change: 'static {
    /// The backend to change.
    type Inner: Backend;
    /// The machine, either that of `Inner` or another one.
    type Machine: Machine;

    /// Returns whether this is interrupt context.
    fn in_interrupt() -> bool {
        Self::Inner::in_interrupt()
    }

    /// Whether the backend has hooks.
    const HAS_HOOKS: bool = Self::Inner::HAS_HOOKS;

    /// The hook that runs when the mode begins to defer.
    fn mode_begins() {
        Self::Inner::mode_begins();
    }

    /// The hook that runs when the mode ceases to defer.
    fn mode_ends() {
        Self::Inner::mode_ends();
    }

    /// Called for each read of the bits. `look` reads them.
    fn look(look: impl FnOnce() -> Bits) -> Bits {
        look()
    }

    /// Called for each change of the bits. `change` changes them.
    fn change(change: impl FnOnce()) {
        change();
    }
}

/// The backend with the changes `C`.
pub struct Changed<C>(PhantomData<C>);

// SAFETY: a walker does not read the tables of a test, so memory safety does not depend on this
// backend. The bits are those of `Inner`.
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

/// The storage of the bits of [`Changed`].
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
        // SAFETY: the caller has the same duties.
        C::change(|| unsafe { self.0.set(seen, bits) });
    }

    unsafe fn clear(self, seen: Bits, bits: Bits) {
        // SAFETY: the caller has the same duties.
        C::change(|| unsafe { self.0.clear(seen, bits) });
    }
}
