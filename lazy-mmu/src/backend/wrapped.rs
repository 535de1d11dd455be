//! A backend that differs from another one in a method or two of its machine.

use core::marker::PhantomData;

use crate::protocol::backend::{Backend, Machine};
use crate::protocol::event::Event;
use crate::protocol::range::Invalidation;

/// The backend of the [`Wrapper`] `W`.
#[derive(Debug)]
pub struct Wrapped<W>(PhantomData<W>);

/// What a backend changes of another one's machine: write the methods that differ, the others are
/// the inner one's. [`Wrapped`] makes it a backend.
///
/// ```
/// use core::sync::atomic::{AtomicUsize, Ordering};
/// use lazy_mmu::sim::Sim;
/// use lazy_mmu::{Machine, Wrapped, Wrapper};
///
/// static BARRIERS: AtomicUsize = AtomicUsize::new(0);
///
/// struct Counting;
///
/// // SAFETY: the barrier is the inner machine's.
/// unsafe impl Wrapper for Counting {
///     type Inner = Sim; // `Aarch64<Kernel>`, for example
///
///     fn barrier() {
///         BARRIERS.fetch_add(1, Ordering::Relaxed);
///         Sim::barrier();
///     }
/// }
///
/// lazy_mmu::with::<Wrapped<Counting>, _>(|mmu| mmu.note_store());
/// assert_eq!(BARRIERS.load(Ordering::Relaxed), 1);
/// ```
///
/// The bits are the inner backend's, so code that names either backend is in the same sections. The
/// hooks are too, because backends that share bits have the same hooks. A backend with other bits
/// implements [`Backend`], with the inner one's machine: `type Machine = B::Machine`.
///
/// # Safety
///
/// What the methods do in the place of the inner backend's keeps the promises of [`Backend`] and
/// [`Machine`].
pub unsafe trait Wrapper: 'static {
    /// The backend that it wraps.
    type Inner: Backend;

    /// As [`Machine::barrier`].
    #[inline]
    fn barrier() {
        <Self::Inner as Backend>::Machine::barrier();
    }

    /// As [`Machine::table_barrier`].
    #[inline]
    fn table_barrier() {
        <Self::Inner as Backend>::Machine::table_barrier();
    }

    /// As [`Machine::invalidate`].
    #[inline]
    fn invalidate(invalidations: &[Invalidation]) {
        <Self::Inner as Backend>::Machine::invalidate(invalidations);
    }

    /// As [`Machine::invalidate_all`].
    #[inline]
    fn invalidate_all() {
        <Self::Inner as Backend>::Machine::invalidate_all();
    }

    /// As [`Machine::observe`].
    #[inline]
    fn observe(event: Event) {
        <Self::Inner as Backend>::Machine::observe(event);
    }
}

// SAFETY: the inner backend's author has promised the rest, and `W`'s author what is changed.
unsafe impl<W: Wrapper> Backend for Wrapped<W> {
    type Storage = <W::Inner as Backend>::Storage;
    type Machine = Self;

    #[inline]
    fn current() -> Self::Storage {
        W::Inner::current()
    }

    #[inline]
    fn in_interrupt() -> bool {
        W::Inner::in_interrupt()
    }

    #[inline]
    fn context() -> (Self::Storage, bool) {
        W::Inner::context()
    }

    const HAS_HOOKS: bool = W::Inner::HAS_HOOKS;

    #[inline]
    fn mode_begins() {
        W::Inner::mode_begins();
    }

    #[inline]
    fn mode_ends() {
        W::Inner::mode_ends();
    }
}

// SAFETY: as above.
unsafe impl<W: Wrapper> Machine for Wrapped<W> {
    #[inline]
    fn barrier() {
        W::barrier();
    }

    #[inline]
    fn table_barrier() {
        W::table_barrier();
    }

    #[inline]
    fn invalidate(invalidations: &[Invalidation]) {
        W::invalidate(invalidations);
    }

    #[inline]
    fn invalidate_all() {
        W::invalidate_all();
    }

    #[inline]
    fn observe(event: Event) {
        W::observe(event);
    }

    const IS_REGISTERED_ONE: bool = <<W::Inner as Backend>::Machine as Machine>::IS_REGISTERED_ONE;
}
