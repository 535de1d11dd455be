//! Stores of descriptors by code that has no section in hand.
//!
//! Separate from the section's own stores because the rule differs in one point: who has no section asks the context
//! (interrupt or not), who has one asks its token. Such code may well be called inside a section, and then
//! its stores are deferred to that section's leave.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::backend::{Backend, Event};
use crate::descriptor::Descriptor;
use crate::raw;

/// Stores `descriptor` in `slot`; then, if it needs the barrier pair, emits or defers that.
///
/// Inside a section of the calling thread the pair is deferred to the section's leave (or its next flush); outside
/// any section, in an interrupt, and while the mode is paused, it is emitted before this returns.
///
/// The store is one 64-bit access, never torn, as a walker that reads the entry concurrently demands (Arm ARM
/// DDI 0487, "Translation table walk properties").
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::descriptor::{Leaf, UXN, VALID};
/// use lazy_mmu::sim::{Event, Sim, take_trace};
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::write::<Sim, _>(&slot, Leaf(0x4000_0000 | UXN | VALID));
/// assert!(matches!(take_trace()[..], [Event::Store { .. }, Event::DsbIshst, Event::Isb]));
/// ```
#[inline]
pub fn write<B: Backend, D: Descriptor>(slot: &AtomicU64, descriptor: D) {
    // A descriptor that panics does so before the store.
    let needed = descriptor.needs_barrier();
    put::<B>(slot, descriptor.bits());
    if needed {
        note_store::<B>();
    }
}

/// [`write()`] to an entry that is given by its address.
///
/// # Safety
///
/// `slot` is valid for a 64-bit write, and aligned to 8 bytes; whatever else accesses it at the same time does so with
/// 64-bit atomic accesses, or is the hardware.
#[inline]
pub unsafe fn write_ptr<B: Backend, D: Descriptor>(slot: *mut u64, descriptor: D) {
    // SAFETY: the caller promises what `from_ptr` asks for.
    write::<B, D>(unsafe { AtomicU64::from_ptr(slot) }, descriptor);
}

/// Emits or defers the barrier pair for a descriptor that somebody else has stored before: another paging crate, say.
#[inline]
pub fn note_store<B: Backend>() {
    let (bits, in_interrupt) = B::context();
    if in_interrupt || !raw::deferred(bits) {
        B::barrier();
    }
}

/// Emits the barrier pair now, if a store of the calling thread awaits it; the section, if any, stays open.
///
/// For code that has no section in hand. In an interrupt it does nothing: what is pending there is the interrupted
/// thread's, and every store of the handler was followed by its pair at once. A context that only counts as an interrupt
/// (softirqs disabled) is no exception: what its thread had pending before stays so.
#[inline]
pub fn flush<B: Backend>() {
    let (bits, in_interrupt) = B::context();
    if !in_interrupt {
        raw::settle::<B>(bits);
    }
}

/// Whether a store made now by the calling thread would be deferred: it is in a section, not in an interrupt, and the
/// mode is not paused.
#[inline]
pub fn is_active<B: Backend>() -> bool {
    use crate::bits::Storage as _;

    let (bits, in_interrupt) = B::context();
    !in_interrupt && bits.load().defers()
}

/// The store itself: one 64-bit access.
#[inline]
pub(crate) fn put<B: Backend>(slot: &AtomicU64, value: u64) {
    slot.store(value, Ordering::Relaxed);
    B::observe(Event::Store { slot, value });
}
