//! Stores of descriptors by code that does not hold a guard.
//!
//! Separate from the stores of the guard, because the rule differs in one point. A guard knows what
//! its enter found. Code without the guard asks the backend for the context (interrupt context or
//! not). If its caller has a section, its stores are deferred until that section is left or
//! flushed.

use core::sync::atomic::{AtomicU64, Ordering};

use super::descriptor::Descriptor;
use super::slot::{Slot, Slots};
use crate::protocol::backend::{Backend, Machine};
use crate::protocol::bits::Storage as _;
use crate::protocol::event::Event;
use crate::protocol::raw;

/// Stores `descriptor` in `slot`, and emits or defers the barrier pair (on aarch64
/// `dsb ishst; isb`) if the descriptor [needs](Descriptor::needs_barrier) it.
///
/// Inside a [section](crate::LazyMmu) of the calling thread, the pair is deferred until the section
/// is left or flushed. Outside any section, in interrupt context and while the mode is paused, the
/// pair is emitted before `write` returns. A store of a valid table descriptor is ordered after all
/// earlier stores of the thread ([`Descriptor::points_to_table`]).
///
/// The store is one 64-bit access, because a walker may read the entry at the same time (Arm ARM
/// DDI 0487, "Translation table walk properties").
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{pairs, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let [one, two] = [const { AtomicU64::new(0) }; 2];
/// lazy_mmu::write::<Mmu, _>(&one, Leaf::page(0x4000_0000, KERNEL_DATA));
/// assert_eq!(pairs(&take_trace()), 1); // The pair was emitted at once.
///
/// lazy_mmu::with::<Mmu, _>(|_| {
///     lazy_mmu::write::<Mmu, _>(&two, Leaf::page(0x4000_1000, KERNEL_DATA));
///     assert_eq!(pairs(&take_trace()), 0); // The pair is deferred.
/// });
/// ```
#[inline]
pub fn write<B: Backend, D: Descriptor>(slot: impl Slot, descriptor: D) {
    if put_descriptor::<B, D>(slot.atomic(), descriptor) {
        note_store::<B>();
    }
}

/// Stores like [`write()`], to an entry that is given by its address.
///
/// ```
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// let mut table = [0_u64; 512]; // In a kernel, the address comes from the linear map.
/// // SAFETY: `table` is a local variable, and other code does not have its address.
/// unsafe {
///     lazy_mmu::write_ptr::<Mmu, _>(&raw mut table[3], Leaf::page(0x4000_0000, KERNEL_DATA));
/// }
/// assert_ne!(table[3], 0);
/// ```
///
/// # Safety
///
/// * `slot` is valid for reads and writes of 64 bits, and is aligned to 8 bytes.
/// * Every concurrent access to the entry is a 64-bit atomic access, or is made by the hardware.
#[inline]
pub unsafe fn write_ptr<B: Backend, D: Descriptor>(slot: *mut u64, descriptor: D) {
    // SAFETY: the caller guarantees the requirements of `from_ptr`.
    write::<B, D>(unsafe { AtomicU64::from_ptr(slot) }, descriptor);
}

/// Stores `descriptor(i)` in `slots[i]`, for each `i` in order. Then it emits or defers one pair,
/// as [`write()`] does, if any of the entries needs it.
///
/// The thread has no pending pair for these stores until `write_range` returns. A flush before
/// that, or a section that `descriptor` opens and leaves, does not make the earlier entries
/// visible.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{pairs, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// /// Maps consecutive pages, in the section of its caller if there is one.
/// fn map_buffer(slots: &[AtomicU64], first: u64) {
///     let page = |i| Leaf::page(first + 4096 * i as u64, KERNEL_DATA);
///     lazy_mmu::write_range::<Mmu, _>(slots, page);
/// }
///
/// let slots = [const { AtomicU64::new(0) }; 16];
/// map_buffer(&slots, 0x4000_0000);
/// assert_eq!(pairs(&take_trace()), 1); // One pair for 16 stores.
///
/// lazy_mmu::write_range::<Mmu, _>(&slots, |_| Leaf::INVALID);
/// assert_eq!(pairs(&take_trace()), 0); // Invalid entries do not need the pair.
/// ```
///
/// # Panics
///
/// Panics if `descriptor` does. The entries that were stored before the panic stay, and their pair
/// is emitted or deferred.
#[inline]
pub fn write_range<B: Backend, D: Descriptor>(
    slots: impl Slots,
    descriptor: impl FnMut(usize) -> D,
) {
    put_range::<B, D>(slots.atomics(), descriptor, note_store::<B>);
}

/// Emits or defers the barrier pair of descriptors that other code has stored before this call.
///
/// Use [`note_stores`] around code that can return early or panic after its store.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{pairs, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let slot = AtomicU64::new(0);
/// let page = Leaf::page(0x4000_0000, KERNEL_DATA);
/// // Other code changes the entry.
/// slot.swap(page.0, Ordering::Relaxed);
/// lazy_mmu::note_store::<Mmu>();
/// assert_eq!(pairs(&take_trace()), 1); // Outside a section, the pair was emitted at once.
/// ```
#[inline]
pub fn note_store<B: Backend>() {
    let (bits, in_interrupt) = B::context();
    if in_interrupt || !raw::deferred(bits) {
        B::Machine::barrier();
    }
}

/// Runs `f`, which stores descriptors by other means than this crate, and emits or defers the pair
/// of these stores.
///
/// The pair is emitted or deferred on every way out: return, error and panic. The crate does not
/// see the descriptors, and assumes that they need the pair. If `f` links a table, `f` itself
/// orders that store after the stores that fill the table.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{pairs, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// /// The mapper of another crate, which fails after it has mapped the first page.
/// fn map_range(table: &[AtomicU64]) -> Result<(), &'static str> {
///     table[0].store(Leaf::page(0x4000_0000, KERNEL_DATA).0, Ordering::Relaxed);
///     Err("no frame for the second page")
/// }
///
/// let table = [const { AtomicU64::new(0) }; 512];
/// assert!(lazy_mmu::note_stores::<Mmu, _>(|| map_range(&table)).is_err());
/// assert_eq!(pairs(&take_trace()), 1); // The first page can be used.
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

/// Emits the pending pair of the calling thread now. The section, if one is open, stays open.
///
/// This is for code that does not hold a guard. A guard has
/// [`LazyMmu::flush`](crate::LazyMmu::flush). If a pair is not pending, `flush` emits nothing.
///
/// In interrupt context `flush` does nothing. A pending pair belongs to the interrupted thread, and
/// each store of the handler was followed by its pair at once. Interrupt context is wherever
/// [`Backend::in_interrupt`] is true, for example with softirqs disabled. A pair that was pending
/// before softirqs were disabled stays pending.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::is_settled;
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|_| {
///     lazy_mmu::write::<Mmu, _>(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///     lazy_mmu::flush::<Mmu>();
///     assert!(is_settled(&slot)); // The pair has been emitted.
/// });
/// ```
#[inline]
pub fn flush<B: Backend>() {
    raw::emit_own_pending::<B>();
}

/// Returns whether a store made now by the calling thread would be deferred.
///
/// The store is deferred if the thread is in a section, the mode is not paused, and this is not
/// interrupt context. In a pause inside a section, the mode is on, and `is_active` returns false.
///
/// ```
/// # type Mmu = lazy_mmu::sim::Sim;
/// assert!(!lazy_mmu::is_active::<Mmu>());
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     assert!(lazy_mmu::is_active::<Mmu>());
///     mmu.paused(|| assert!(!lazy_mmu::is_active::<Mmu>()));
/// });
/// ```
#[inline]
pub fn is_active<B: Backend>() -> bool {
    let (bits, in_interrupt) = B::context();
    !in_interrupt && bits.load().defers()
}

/// Stores `descriptor`, and returns whether it needs the pair.
#[inline]
pub(crate) fn put_descriptor<B: Backend, D: Descriptor>(slot: &AtomicU64, descriptor: D) -> bool {
    let (bits, needed) = prepare::<B, D>(descriptor);
    put::<B>(slot, bits);
    needed
}

/// Stores `descriptor(i)` in `slots[i]`, and then calls `note` if any of them needs the pair, even
/// if a panic in `descriptor` unwinds.
#[inline]
pub(crate) fn put_range<B: Backend, D: Descriptor>(
    slots: &[AtomicU64],
    mut descriptor: impl FnMut(usize) -> D,
    note: impl FnMut(),
) {
    let mut slots = slots.iter().enumerate();
    // This loop ends at the first descriptor that needs the pair. The next loop only stores.
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

/// Returns the bits of `descriptor`, and whether its store needs the pair. Executes the barrier
/// before the store, if the descriptor links a table.
#[inline]
pub(crate) fn prepare<B: Backend, D: Descriptor>(descriptor: D) -> (u64, bool) {
    // A method of the descriptor that panics does so before the store.
    let needed = descriptor.needs_barrier();
    let links = descriptor.points_to_table();
    let bits = descriptor.bits();
    if links {
        // A walker that finds the table must find it filled, by any earlier store of this thread.
        B::Machine::table_barrier();
    }
    (bits, needed)
}

/// Stores `value` in `slot`, by one 64-bit access.
#[inline]
pub(crate) fn put<B: Backend>(slot: &AtomicU64, value: u64) {
    slot.store(value, Ordering::Relaxed);
    changed::<B>(slot, value);
}

/// Reports to the machine that a store has been made.
#[inline]
pub(crate) fn changed<B: Backend>(slot: &AtomicU64, value: u64) {
    B::Machine::observe(Event::Store { slot, value });
}
