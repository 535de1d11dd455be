//! The functions of the crate for [`Global`], the registered backend: they need no type argument.
//!
//! Each function calls the function of the same name in the crate, whose page has the details and
//! an example.
//!
//! ```
//! use core::sync::atomic::AtomicU64;
//! use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
//! use lazy_mmu::global;
//! # type Mmu = lazy_mmu::sim::Sim;
//!
//! lazy_mmu::set_global_backend!(Mmu); // once, in the final binary
//!
//! let slot = AtomicU64::new(0);
//! global::with(|mmu| mmu.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA)));
//! global::write(&slot, Leaf::INVALID);
//! # assert_eq!(lazy_mmu::sim::pairs(&lazy_mmu::sim::take_trace()), 1);
//! ```

use crate::{
    Descriptor, Dynamic, Gather, Global, LazyMmu, NotIdle, Pending, Scope, Slot, Slots,
    VirtualRange,
};

/// Stores `descriptor` in `slot`, and emits or defers its pair: [`write()`](crate::write()).
#[inline]
pub fn write(slot: impl Slot, descriptor: impl Descriptor) {
    crate::write::<Global, _>(slot, descriptor);
}

/// Stores descriptors in consecutive entries: [`write_range`](crate::write_range).
#[inline]
pub fn write_range<D: Descriptor>(slots: impl Slots, descriptor: impl FnMut(usize) -> D) {
    crate::write_range::<Global, D>(slots, descriptor);
}

/// Emits or defers the pair for the stores that `f` makes without the crate:
/// [`note_stores`](crate::note_stores()).
#[inline]
pub fn note_stores<R>(f: impl FnOnce() -> R) -> R {
    crate::note_stores::<Global, R>(f)
}

/// Emits the pair now, if a store awaits it: [`flush`](crate::flush).
#[inline]
pub fn flush() {
    crate::flush::<Global>();
}

/// Returns whether a store made now would be deferred: [`is_active`](crate::is_active).
#[inline]
pub fn is_active() -> bool {
    crate::is_active::<Global>()
}

/// Checks that the thread has no section, nothing pending and no pause:
/// [`check_idle`](crate::check_idle()).
///
/// # Errors
///
/// Returns [`NotIdle`], which has the bits that are set.
#[inline]
pub fn check_idle() -> Result<(), NotIdle> {
    crate::check_idle::<Global>()
}

/// Runs `f` in a section of its own: [`with`](crate::with()).
#[inline]
pub fn with<R>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic>) -> R) -> R {
    crate::with::<Global, R>(f)
}

/// Runs `f` in the section that is open, or in one of its own: [`join`](crate::join()).
#[inline]
pub fn join<R>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic>) -> R) -> R {
    crate::join::<Global, R>(f)
}

/// Runs `f` in a section of its own, and returns its mapping ready for use:
/// [`visible`](crate::visible()).
#[inline]
pub fn visible<T>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic>) -> Pending<'id, T>) -> T {
    crate::visible::<Global, T>(f)
}

/// Runs `f` while the mode is paused: [`paused`](crate::paused()).
#[inline]
pub fn paused<R>(f: impl FnOnce() -> R) -> R {
    crate::paused::<Global, R>(f)
}

/// Removes the translations of `range` from the TLBs: [`invalidate`](crate::invalidate()).
#[inline]
pub fn invalidate(range: VirtualRange, scope: Scope) {
    crate::invalidate::<Global>(range, scope);
}

/// Runs `f` with a gather, and then invalidates everything that it gathered:
/// [`gather`](crate::gather()).
///
/// # Panics
///
/// Panics if `storage` already holds a value.
#[inline]
pub fn gather<T, R>(
    storage: &mut [Option<T>],
    f: impl for<'g> FnOnce(&mut Gather<'g, T>) -> R,
) -> R {
    crate::gather::<Global, T, R>(storage, f)
}
