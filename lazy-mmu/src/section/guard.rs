//! The guard of an open section: its stores, its flush and its leave.
//!
//! Separate from the closure forms, because this guard leaves the section when it is dropped. The
//! guard that a closure receives never leaves.

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};

use super::descriptor::Descriptor;
use super::nesting::{Nesting, Outer};
use super::proof::{self, Pending, Visible};
use super::slot::{Slot, Slots};
use super::store::{self, OnDrop};
use crate::protocol::backend::{Backend, Global, Machine as _};
use crate::protocol::bits::Storage as _;
use crate::protocol::event::Event;
use crate::protocol::raw::{self, Kind};
use crate::protocol::token::BoundToThread;

/// The guard of an open lazy MMU section.
///
/// A *section* begins when it is entered. It ends when it is [left](Self::leave), or when its guard
/// is dropped.
/// Stores of descriptors in the section are *deferred*: the descriptor is stored at once, but its
/// barrier pair (on aarch64 `dsb ishst; isb`) waits until the section is left or
/// [flushed](Self::flush).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::Task;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{pairs, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let [one, two, three] = [const { AtomicU64::new(0) }; 3];
/// // SAFETY: this is the only handle of this thread.
/// let mut task = unsafe { Task::<Mmu>::current() };
///
/// let mut mmu = task.enter();
/// mmu.write(&one, Leaf::page(0x4000_0000, KERNEL_DATA));
///
/// let mut inner = mmu.nest();
/// inner.write(&two, Leaf::page(0x4000_1000, KERNEL_DATA));
/// inner.leave(); // Emits the pair, which covers `one` and `two`.
/// assert_eq!(pairs(&take_trace()), 1);
///
/// mmu.write(&three, Leaf::page(0x4000_2000, KERNEL_DATA));
/// mmu.flush(); // Emits the pair. The section stays open.
/// mmu.leave(); // Emits nothing, because no pair is pending.
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
///
/// # Kinds of sections
///
/// * The *outermost* section begins the *lazy MMU mode* of its thread: stores of the thread are
///   deferred. Leaving the section emits the pending pair and ends the mode.
/// * A *nested* section is opened inside another section. Leaving it emits the pending pair, and
///   the mode continues.
/// * An *inert* section has no effect on the thread, because it was opened in interrupt context or
///   while the mode is [paused](Self::paused). A store through it that needs the pair is followed
///   by the pair at once. *Interrupt context* is wherever [`Backend::in_interrupt`] is true.
///
/// A section that the [task handle](crate::Task) enters during a pause does not begin the mode. Its
/// stores are immediate until the pause ends. After that, they are deferred if the mode is on, and
/// immediate otherwise.
///
/// # Ways into a section
///
/// The compiler checks the first form most, and the last form least:
///
/// * [`Task::enter`](crate::Task::enter) and [`nest`](Self::nest) return a guard that the caller
///   owns.
/// * [`with`](crate::with) and [`join`](crate::join()) lend a guard to a closure.
/// * The attribute `#[lazy_mmu]` opens a section around the body of a function.
///
/// # Parameters
///
/// * `'id` is the identity of the section. It is invariant, because a [`Pending`] value must accept
///   only a proof with the same identity.
/// * `L` says how the section was entered: [`Outer`], [`Nested`](crate::Nested) or
///   [`Dynamic`](crate::Dynamic).
/// * `B` is the [backend](Backend).
///
/// # Order and threads
///
/// A guard borrows the handle or the guard that it came from. The compiler therefore rejects guards
/// that are dropped in the wrong order. Otherwise the outermost section could end the mode while an
/// inner one is open.
///
/// A guard cannot be cloned, and it cannot be sent to another thread or shared with one, because it
/// changes the bits of its own thread.
#[must_use = "the section ends when its guard is dropped; bind the guard to a named variable, \
              because `let _ = ..` drops it at once"]
pub struct LazyMmu<'id, L: Nesting, B: Backend = Global> {
    /// The bits of the thread. A `Dynamic` section that had no effect on the thread has the [inert
    /// bits](crate::Storage::inert) instead.
    bits: BoundToThread<B::Storage>,
    nesting: PhantomData<L>,
    brand: PhantomData<fn(&'id ()) -> &'id ()>,
}

impl<'id, L: Nesting, B: Backend> LazyMmu<'id, L, B> {
    /// Stores `descriptor` in `slot`, and defers the barrier pair if the descriptor
    /// [needs](Descriptor::needs_barrier) it.
    ///
    /// The store is one 64-bit access and happens at once; only its barriers are deferred. A store
    /// of a valid table descriptor is ordered after all earlier stores of the thread
    /// ([`Descriptor::points_to_table`]).
    ///
    /// [`LazyMmu`](Self) shows an example.
    #[inline]
    pub fn write<D: Descriptor>(&mut self, slot: impl Slot, descriptor: D) {
        if store::put_descriptor::<B, D>(slot.atomic(), descriptor) {
            self.note_store();
        }
    }

    /// Opens a section inside this section.
    ///
    /// The compiler rejects every use of this section until the inner section is left. Entering
    /// executes no instruction. Leaving the inner section emits the pending pair, which covers the
    /// stores of this section too. The mode continues.
    ///
    /// To defer the stores of a function into this section instead, pass `&mut LazyMmu<..>` to the
    /// function.
    ///
    /// [`LazyMmu`](Self) shows an example.
    #[inline]
    pub fn nest(&mut self) -> LazyMmu<'_, L::Nested, B> {
        B::Machine::observe(Event::Enter(if self.is_inert() {
            Kind::Inert
        } else {
            Kind::Nested
        }));
        guard(self.bits.0)
    }

    /// Emits the pending pair now. The section stays open.
    ///
    /// Returns the proof that all earlier stores of this thread have been followed by their pair,
    /// in whichever section they were made. The page of [`Visible`] has the exceptions. The proof
    /// unlocks the [`Pending`] values of this section. [`LazyMmu`](Self) shows an example.
    ///
    /// An inert section emits nothing in interrupt context, because each of its stores was followed
    /// by its pair at once. The pair of the interrupted thread stays pending. Interrupt context is
    /// wherever [`Backend::in_interrupt`] is true, for example with softirqs disabled.
    #[inline]
    pub fn flush(&mut self) -> Visible<'_, 'id, B> {
        self.emit_pending();
        proof::proof()
    }

    /// Leaves the section, as dropping the guard does.
    ///
    /// Returns the same proof as [`flush`](Self::flush). [`LazyMmu`](Self) shows an example.
    #[inline]
    pub fn leave(self) -> Visible<'id, 'id, B> {
        drop(self);
        proof::proof()
    }

    /// Stores like [`write`](Self::write), to an entry that is given by its address.
    ///
    /// [`write_ptr`](crate::write_ptr()) shows an example.
    ///
    /// # Safety
    ///
    /// * `slot` is valid for reads and writes of 64 bits, and is aligned to 8 bytes.
    /// * Every concurrent access to the entry is a 64-bit atomic access, or is made by the
    ///   hardware.
    #[inline]
    pub unsafe fn write_ptr<D: Descriptor>(&mut self, slot: *mut u64, descriptor: D) {
        // SAFETY: the caller guarantees the requirements of `from_ptr`.
        self.write(unsafe { AtomicU64::from_ptr(slot) }, descriptor);
    }

    /// Stores `descriptor(i)` in `slots[i]`, for each `i` in order. Then it defers one pair, if any
    /// of the entries needs it.
    ///
    /// The section does not know of the stores until `write_range` returns. A flush before that, or
    /// a section that `descriptor` opens and leaves, does not make the earlier entries visible.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// let table = [const { AtomicU64::new(0) }; 512];
    /// lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     // Maps 16 pages, whose physical addresses begin at 1 GiB.
    ///     mmu.write_range(&table[..16], |i| {
    ///         Leaf::page(0x4000_0000 + 4096 * i as u64, KERNEL_DATA)
    ///     });
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if `descriptor` does. The entries that were stored before the panic stay, and their
    /// pair is deferred.
    #[inline]
    pub fn write_range<D: Descriptor>(
        &mut self,
        slots: impl Slots,
        descriptor: impl FnMut(usize) -> D,
    ) {
        store::put_range::<B, D>(slots.atomics(), descriptor, || self.note_store());
    }

    /// Defers the barrier pair of descriptors that other code has stored before this call.
    ///
    /// Use [`note_stores`](Self::note_stores) around code that can return early or panic after its
    /// store.
    ///
    /// ```
    /// use core::sync::atomic::{AtomicU64, Ordering};
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    /// use lazy_mmu::sim::is_pending;
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// let slot = AtomicU64::new(0);
    /// lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     slot.store(Leaf::page(0x4000_0000, KERNEL_DATA).0, Ordering::Relaxed);
    ///     assert!(!is_pending::<Mmu>()); // The crate does not know of the store.
    ///     mmu.note_store();
    ///     assert!(is_pending::<Mmu>());
    /// });
    /// ```
    #[inline]
    pub fn note_store(&mut self) {
        if !raw::deferred(self.bits_of_store()) {
            raw::cold_path();
            B::Machine::barrier();
        }
    }

    /// Runs `f`, which stores descriptors by other means than this crate, and defers the pair of
    /// these stores.
    ///
    /// The pair is deferred on every way out: return, error and panic.
    /// [`note_stores`](crate::note_stores()) shows an example, and says what `f` must do when it
    /// links a table.
    #[inline]
    pub fn note_stores<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _note = OnDrop(|| self.note_store());
        f()
    }

    /// Returns the entry in `slot` as it is in memory.
    ///
    /// The value was written by this section, by another CPU, or by the hardware (access flag,
    /// dirty state). A read needs no flush before it, because every store happens at once.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// let slot = AtomicU64::new(0);
    /// lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     mmu.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
    ///     let bits = mmu.read(&slot);
    ///     assert_eq!(Leaf(bits).address(Granule::Kib4), 0x4000_0000);
    /// });
    /// ```
    #[inline]
    pub fn read(&self, slot: impl Slot) -> u64 {
        slot.atomic().load(Ordering::Relaxed)
    }

    /// Locks `value` until the stores made so far through this section are [visible](Visible).
    ///
    /// The value is usually the address of a new mapping.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// let [one, two] = [const { AtomicU64::new(0) }; 2];
    /// lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     mmu.write(&one, Leaf::page(0x4000_0000, KERNEL_DATA));
    ///     mmu.write(&two, Leaf::page(0x4000_1000, KERNEL_DATA));
    ///     let mapping = mmu.pending("both pages");
    ///     let proof = mmu.flush();
    ///     assert_eq!(mapping.get(&proof), "both pages");
    /// });
    /// ```
    #[inline]
    pub fn pending<T>(&mut self, value: T) -> Pending<'id, T, B> {
        proof::pending(self.bits_of_store(), value)
    }

    /// Stores like [`write`](Self::write), and locks `value` until the store is visible.
    ///
    /// [`Pending`] shows an example.
    #[inline]
    pub fn write_pending<D: Descriptor, T>(
        &mut self,
        slot: impl Slot,
        descriptor: D,
        value: T,
    ) -> Pending<'id, T, B> {
        self.write(slot, descriptor);
        self.pending(value)
    }

    /// Returns whether the section had no effect on the thread.
    #[inline]
    fn is_inert(&self) -> bool {
        L::MAY_BE_INERT && self.bits.0 == B::Storage::inert()
    }

    #[inline]
    pub(crate) fn emit_pending(&mut self) {
        let (bits, in_interrupt) = self.context();
        if !in_interrupt {
            raw::emit_pending::<B>(bits);
        }
    }

    /// Returns the bits of the thread, and whether this code interrupts that thread.
    ///
    /// An inert section asks the backend again. The section may be in interrupt context. Or it was
    /// entered during a pause that has ended, and other sections may have deferred stores since
    /// then.
    #[inline]
    pub(crate) fn context(&self) -> (B::Storage, bool) {
        if self.is_inert() {
            B::context()
        } else {
            (self.bits.0, false)
        }
    }

    /// Clears PENDING, and returns whether it was set. If it was, the caller executes a sequence of
    /// barriers next, which covers the pending pair.
    #[inline]
    pub(crate) fn take_pending(&mut self) -> bool {
        let (bits, in_interrupt) = self.context();
        !in_interrupt && raw::take_pending::<B>(bits)
    }

    /// Returns the bits that decide whether a store is deferred, and that show whether a mapping is
    /// still pending.
    #[inline]
    pub(crate) fn bits_of_store(&self) -> B::Storage {
        self.bits.0
    }
}

// Free functions, because rustc suggests associated functions that return `Self`, even private
// ones, to code that builds a guard by hand.

/// Returns the guard of a section that has been entered.
#[inline]
pub(super) fn guard<'id, L: Nesting, B: Backend>(bits: B::Storage) -> LazyMmu<'id, L, B> {
    LazyMmu {
        bits: BoundToThread(bits),
        nesting: PhantomData,
        brand: PhantomData,
    }
}

/// Enters a section through the task handle, which the guard borrows.
#[inline]
pub(crate) fn enter_outer<'id, B: Backend>(bits: B::Storage) -> LazyMmu<'id, Outer, B> {
    raw::enter_owned::<B>(bits);
    guard(bits)
}

impl<L: Nesting, B: Backend> Drop for LazyMmu<'_, L, B> {
    #[inline]
    fn drop(&mut self) {
        if L::MAY_END {
            raw::leave_owned::<B>(self.bits.0);
        } else if self.is_inert() {
            raw::leave_inert::<B>();
        } else {
            raw::leave_nested::<B>(self.bits.0);
        }
    }
}

impl<L: Nesting, B: Backend> fmt::Debug for LazyMmu<'_, L, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyMmu")
            .field("inert", &self.is_inert())
            .field("bits", &self.context().0.load())
            .finish_non_exhaustive()
    }
}
