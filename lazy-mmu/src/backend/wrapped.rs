//! A backend that changes methods of another backend's machine.

use core::marker::PhantomData;

use crate::protocol::backend::{Backend, Machine};
use crate::protocol::event::Event;
use crate::protocol::range::Invalidation;

/// The backend of the [`Wrapper`] `W`.
///
/// ```
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::sim::{Event, Sim, take_trace}; // in a kernel `Aarch64<Kernel>`
/// use lazy_mmu::{Invalidation, Machine, Scope, Wrapped, Wrapper};
///
/// /// A machine on which a TLBI by address does not work.
/// struct WithoutTlbiByAddress;
///
/// // SAFETY: the invalidation of everything includes each range.
/// unsafe impl Wrapper for WithoutTlbiByAddress {
///     type Inner = Sim;
///
///     fn invalidate(_: &[Invalidation]) {
///         Sim::invalidate_all();
///     }
/// }
///
/// type Mmu = Wrapped<WithoutTlbiByAddress>;
///
/// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
/// lazy_mmu::invalidate::<Mmu>(page, Scope::PAGES);
/// assert!(take_trace().contains(&Event::TlbiAll));
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Debug)]
pub struct Wrapped<W>(PhantomData<W>);

/// Changes methods of another backend's machine. [`Wrapped`] makes a backend of it.
///
/// Write the methods that differ. The defaults call the inner backend's machine.
///
/// ```
/// use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::Sim; // in a kernel `Aarch64<Kernel>`
/// use lazy_mmu::{Machine, Wrapped, Wrapper};
///
/// static BARRIERS: AtomicUsize = AtomicUsize::new(0);
///
/// struct Counting;
///
/// // SAFETY: the barrier is the inner machine's.
/// unsafe impl Wrapper for Counting {
///     type Inner = Sim;
///
///     fn barrier() {
///         BARRIERS.fetch_add(1, Ordering::Relaxed);
///         Sim::barrier();
///     }
/// }
///
/// type Mmu = Wrapped<Counting>;
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|mmu| mmu.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA)));
/// assert_eq!(BARRIERS.load(Ordering::Relaxed), 1);
/// ```
///
/// Both backends have the same bits and the same hooks, so code that names either backend uses the
/// same sections. A backend with other bits implements [`Backend`] itself, with the inner backend's
/// machine: `type Machine = B::Machine`.
///
/// # Safety
///
/// The methods that replace methods of the inner machine keep the promises of [`Backend`] and
/// [`Machine`].
pub unsafe trait Wrapper: 'static {
    /// The backend whose machine is changed.
    type Inner: Backend;

    /// As [`Machine::barrier`]. The default calls the inner machine.
    #[inline]
    fn barrier() {
        <Self::Inner as Backend>::Machine::barrier();
    }

    /// As [`Machine::table_barrier`]. The default calls the inner machine.
    #[inline]
    fn table_barrier() {
        <Self::Inner as Backend>::Machine::table_barrier();
    }

    /// As [`Machine::invalidate`]. The default calls the inner machine.
    #[inline]
    fn invalidate(invalidations: &[Invalidation]) {
        <Self::Inner as Backend>::Machine::invalidate(invalidations);
    }

    /// As [`Machine::invalidate_only`]. The default calls [`invalidate`](Self::invalidate) of this
    /// wrapper, so a changed `invalidate` needs no second change.
    #[inline]
    fn invalidate_only(invalidations: &[Invalidation]) {
        Self::invalidate(invalidations);
    }

    /// As [`Machine::invalidate_all`]. The default calls the inner machine.
    #[inline]
    fn invalidate_all() {
        <Self::Inner as Backend>::Machine::invalidate_all();
    }

    /// As [`Machine::observe`]. The default calls the inner machine.
    #[inline]
    fn observe(event: Event) {
        <Self::Inner as Backend>::Machine::observe(event);
    }
}

// SAFETY: the implementor of `W` promises the duties of the changed methods, and the author of the
// inner backend those of the others.
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
    fn invalidate_only(invalidations: &[Invalidation]) {
        W::invalidate_only(invalidations);
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
