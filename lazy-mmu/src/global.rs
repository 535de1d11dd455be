//! The functions of the crate for the registered backend, [`Global`]: without a type argument.
//!
//! ```
//! use core::sync::atomic::AtomicU64;
//! use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
//! use lazy_mmu::global;
//!
//! lazy_mmu::set_global_backend!(lazy_mmu::sim::Sim);
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

/// As [`write()`](crate::write()).
#[inline]
pub fn write(slot: impl Slot, descriptor: impl Descriptor) {
    crate::write::<Global, _>(slot, descriptor);
}

/// As [`write_range`](crate::write_range).
#[inline]
pub fn write_range<D: Descriptor>(slots: impl Slots, descriptor: impl FnMut(usize) -> D) {
    crate::write_range::<Global, D>(slots, descriptor);
}

/// As [`note_stores`](crate::note_stores).
#[inline]
pub fn note_stores<R>(f: impl FnOnce() -> R) -> R {
    crate::note_stores::<Global, R>(f)
}

/// As [`flush`](crate::flush).
#[inline]
pub fn flush() {
    crate::flush::<Global>();
}

/// As [`is_active`](crate::is_active).
#[inline]
pub fn is_active() -> bool {
    crate::is_active::<Global>()
}

/// As [`check_idle`](crate::check_idle).
///
/// # Errors
///
/// As that function.
#[inline]
pub fn check_idle() -> Result<(), NotIdle> {
    crate::check_idle::<Global>()
}

/// As [`with`](crate::with).
#[inline]
pub fn with<R>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic>) -> R) -> R {
    crate::with::<Global, R>(f)
}

/// As [`join`](crate::join).
#[inline]
pub fn join<R>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic>) -> R) -> R {
    crate::join::<Global, R>(f)
}

/// As [`visible`](crate::visible()).
#[inline]
pub fn visible<T>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic>) -> Pending<'id, T>) -> T {
    crate::visible::<Global, T>(f)
}

/// As [`paused`](crate::paused()).
#[inline]
pub fn paused<R>(f: impl FnOnce() -> R) -> R {
    crate::paused::<Global, R>(f)
}

/// As [`invalidate`](crate::invalidate).
#[inline]
pub fn invalidate(range: VirtualRange, scope: Scope) {
    crate::invalidate::<Global>(range, scope);
}

/// As [`gather`](crate::gather()).
///
/// # Panics
///
/// As that function.
#[inline]
pub fn gather<T, R>(
    storage: &mut [Option<T>],
    f: impl for<'g> FnOnce(&mut Gather<'g, T>) -> R,
) -> R {
    crate::gather::<Global, T, R>(storage, f)
}
