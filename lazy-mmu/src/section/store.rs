//! Stores of descriptors without a section in hand.
//!
//! Separate from the guard's own stores because the rule differs in one point: code without a
//! section asks the context (interrupt or not), a guard knows what its enter found. Such code may
//! well be called inside a section, and then its stores are deferred to that section's leave.

use core::sync::atomic::{AtomicU64, Ordering};

use super::descriptor::Descriptor;
use super::slot::{Slot, Slots};
use crate::protocol::backend::{Backend, Machine};
use crate::protocol::bits::Storage as _;
use crate::protocol::event::Event;
use crate::protocol::raw;

/// Stores `descriptor` in `slot`; then, if it needs the barrier pair, emits or defers that.
///
/// Inside a section of the calling thread the pair is deferred to the section's leave (or its next
/// flush); outside any section, in an interrupt, and while the mode is paused, it is emitted before
/// this returns. The store of a valid table descriptor is ordered after all earlier stores of the
/// thread ([`Descriptor::points_to_table`]).
///
/// The store is one 64-bit access, never torn, as a walker that reads the entry concurrently
/// demands (Arm ARM DDI 0487, "Translation table walk properties").
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Event, Sim, take_trace};
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::write::<Sim, _>(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
/// assert!(matches!(take_trace()[..], [Event::Store { .. }, Event::DsbIshst, Event::Isb]));
/// ```
#[inline]
pub fn write<B: Backend, D: Descriptor>(slot: impl Slot, descriptor: D) {
    if put_descriptor::<B, D>(slot.atomic(), descriptor) {
        note_store::<B>();
    }
}

/// [`write()`] to an entry that is given by its address.
///
/// # Safety
///
/// `slot` is valid for reads and writes of 64 bits, and aligned to 8 bytes. Whatever else accesses
/// it at the same time does so with 64-bit atomic accesses, or is the hardware.
#[inline]
pub unsafe fn write_ptr<B: Backend, D: Descriptor>(slot: *mut u64, descriptor: D) {
    // SAFETY: the caller promises what `from_ptr` asks for.
    write::<B, D>(unsafe { AtomicU64::from_ptr(slot) }, descriptor);
}

/// Stores `descriptor(i)` in `slots[i]`, for each `i` in order, and then decides once: emits or
/// defers the pair, as [`write()`] does, if any of the entries needs it.
///
/// Until this returns the entries count for nobody: a section that `descriptor` opens and leaves,
/// or a flush, does not make the earlier ones visible.
///
/// # Panics
///
/// If `descriptor` does. The entries stored until then stay, and count.
#[inline]
pub fn write_range<B: Backend, D: Descriptor>(
    slots: impl Slots,
    descriptor: impl FnMut(usize) -> D,
) {
    put_range::<B, D>(slots.atomics(), descriptor, note_store::<B>);
}

/// Emits or defers the barrier pair for descriptors that other code has stored before this call.
///
/// Code that can return early or panic after its store belongs in [`note_stores`].
#[inline]
pub fn note_store<B: Backend>() {
    let (bits, in_interrupt) = B::context();
    if in_interrupt || !raw::deferred(bits) {
        B::Machine::barrier();
    }
}

/// Runs `f`, which stores descriptors by other means than this crate (another paging crate, say),
/// and emits or defers the barrier pair for these stores on every way out: return, error, panic.
///
/// The crate does not know the descriptors, so it counts them as needing the pair. `f` orders the
/// store that links a table after the stores that fill it.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::sim::{Sim, pairs, take_trace};
///
/// /// Another crate's mapper, which fails after it has mapped the first page.
/// fn map_range(table: &[AtomicU64]) -> Result<(), &'static str> {
///     table[0].store(0x0060_0000_4000_0703, Ordering::Relaxed);
///     Err("no frame for the second")
/// }
///
/// let table = [const { AtomicU64::new(0) }; 512];
/// assert!(lazy_mmu::note_stores::<Sim, _>(|| map_range(&table)).is_err());
/// assert_eq!(pairs(&take_trace()), 1); // the first page can be used
/// ```
#[inline]
pub fn note_stores<B: Backend, R>(f: impl FnOnce() -> R) -> R {
    let _note = OnDrop(note_store::<B>);
    f()
}

/// Calls the function when it is dropped: on return, and when a panic unwinds.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    #[inline]
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Emits the barrier pair now, if a store of the calling thread awaits it; the section, if any,
/// stays open.
///
/// For code without a section in hand. In an interrupt it does nothing: a pending pair is the
/// interrupted thread's, and every store of the handler was followed by its pair at once. A context
/// that only counts as an interrupt (softirqs disabled) is no exception: a pair that its thread had
/// pending before stays so.
#[inline]
pub fn flush<B: Backend>() {
    raw::emit_own_pending::<B>();
}

/// Whether a store made now by the calling thread would be deferred: it is in a section, not in an
/// interrupt, and the mode is not paused.
#[inline]
pub fn is_active<B: Backend>() -> bool {
    let (bits, in_interrupt) = B::context();
    !in_interrupt && bits.load().defers()
}

/// Stores `descriptor`; returns whether it needs the pair.
#[inline]
pub(crate) fn put_descriptor<B: Backend, D: Descriptor>(slot: &AtomicU64, descriptor: D) -> bool {
    let (bits, needed) = prepare::<B, D>(descriptor);
    put::<B>(slot, bits);
    needed
}

/// Stores `descriptor(i)` in `slots[i]`, and then calls `note` if any of them needs the pair: also
/// when a panic in `descriptor` unwinds.
#[inline]
pub(crate) fn put_range<B: Backend, D: Descriptor>(
    slots: &[AtomicU64],
    mut descriptor: impl FnMut(usize) -> D,
    note: impl FnMut(),
) {
    let mut slots = slots.iter().enumerate();
    // Until one needs the pair, each is asked; from then on the loop is that of the stores alone.
    loop {
        let Some((i, slot)) = slots.next() else {
            return;
        };
        if put_descriptor::<B, D>(slot, descriptor(i)) {
            break;
        }
    }
    let _note = OnDrop(note);
    for (i, slot) in slots {
        put_descriptor::<B, D>(slot, descriptor(i));
    }
}

/// The bits of `descriptor`, and whether its store needs the pair. Orders that store, if it links a
/// table.
#[inline]
pub(crate) fn prepare<B: Backend, D: Descriptor>(descriptor: D) -> (u64, bool) {
    // A descriptor that panics does so before the store.
    let needed = descriptor.needs_barrier();
    let links = descriptor.points_to_table();
    let bits = descriptor.bits();
    if links {
        // A walker that finds the table must find it filled, by whichever stores of this thread.
        B::Machine::table_barrier();
    }
    (bits, needed)
}

/// The store itself: one 64-bit access.
#[inline]
pub(crate) fn put<B: Backend>(slot: &AtomicU64, value: u64) {
    slot.store(value, Ordering::Relaxed);
    changed::<B>(slot, value);
}

/// Tells the machine of a store that has been made.
#[inline]
pub(crate) fn changed<B: Backend>(slot: &AtomicU64, value: u64) {
    B::Machine::observe(Event::Store { slot, value });
}
