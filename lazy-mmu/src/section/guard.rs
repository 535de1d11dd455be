//! The guard of an open section, and the closure form.

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

/// An open lazy MMU section: stores of descriptors made while it lives are deferred, and its drop
/// emits the barrier pair that they need.
///
/// `L` says how the section was entered ([`Outer`], [`Nested`](crate::Nested) or
/// [`Dynamic`](crate::Dynamic)), `B`
/// the backend. There are three ways in, from the most checked at compile time to the least:
/// [`Task::enter`](crate::Task::enter) and then [`nest`](Self::nest), the closure form
/// [`with`](crate::with),
/// and the attribute `#[lazy_mmu]`.
///
/// The guard borrows where it came from, so that guards can be dropped in the right order only:
/// dropped in any other, independent guards would leave the mode on, and a barrier lost. It cannot
/// be cloned, nor sent to or shared with another thread: the bits that it changes are its own
/// thread's. `'a` is invariant.
#[must_use = "a section lasts as long as its guard: bind it to a name (`let _ = ..` closes the section at once)"]
pub struct LazyMmu<'a, L: Nesting, B: Backend = Global> {
    /// The thread's, or [the inert place](crate::Storage::inert) if a `Dynamic` section had no
    /// effect on the thread.
    bits: B::Storage,
    nesting: PhantomData<L>,
    brand: PhantomData<fn(&'a ()) -> &'a ()>,
    _thread: BoundToThread,
}

impl<'a, L: Nesting, B: Backend> LazyMmu<'a, L, B> {
    /// Opens a section inside this one, which cannot be used until the inner one is left.
    ///
    /// Entering costs nothing. Leaving emits what is pending, of this section's stores too, and the
    /// mode goes on. To defer into this section instead, hand on `&mut LazyMmu<..>`.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    /// use lazy_mmu::sim::{Event, Sim, take_trace};
    ///
    /// let slot = AtomicU64::new(0);
    /// lazy_mmu::with::<Sim, _>(|outer| {
    ///     let mut inner = outer.nest();
    ///     inner.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
    ///     inner.leave();
    ///     // The mapping can be used here, before `outer` is left.
    ///     assert!(take_trace().contains(&Event::Isb));
    /// });
    /// ```
    #[inline]
    pub fn nest(&mut self) -> LazyMmu<'_, L::Nested, B> {
        B::Machine::observe(Event::Enter(if self.is_inert() {
            Kind::Inert
        } else {
            Kind::Nested
        }));
        guard(self.bits)
    }

    /// Emits the pair now, if a store awaits it; the section stays open.
    ///
    /// All stores that this thread has made before it, in whichever section, are visible when it
    /// returns; the result proves that, and redeems this section's [`Pending`](crate::Pending)
    /// mappings. (In an interrupt the section is inert: each of its stores was followed by its pair
    /// at once, and what the interrupted thread has pending stays so. A context that only counts as
    /// an interrupt, softirqs disabled say, is no exception.)
    #[inline]
    pub fn flush(&mut self) -> Visible<'_, 'a, B> {
        self.emit_pending();
        proof::proof()
    }

    /// Leaves the section, as dropping the guard does, and returns the proof that all stores before
    /// it are visible.
    #[inline]
    pub fn leave(self) -> Visible<'a, 'a, B> {
        drop(self);
        proof::proof()
    }

    /// Whether the section had no effect on the thread.
    #[inline]
    fn is_inert(&self) -> bool {
        L::MAY_BE_INERT && self.bits == B::Storage::inert()
    }

    #[inline]
    pub(crate) fn emit_pending(&mut self) {
        let (bits, in_interrupt) = self.context();
        if !in_interrupt {
            raw::emit_pending::<B>(bits);
        }
    }

    /// The thread's bits, and whether they are somebody else's, whom this interrupts. An inert
    /// section asks anew: it may stand in an interrupt; or it was entered while the mode was
    /// paused, and the pause has ended, so that other sections may have deferred stores.
    #[inline]
    pub(crate) fn context(&self) -> (B::Storage, bool) {
        if self.is_inert() {
            B::context()
        } else {
            (self.bits, false)
        }
    }

    /// For a sequence of barriers that covers what is pending, and is executed by the caller next.
    #[inline]
    pub(crate) fn take_pending(&mut self) {
        let (bits, in_interrupt) = self.context();
        if !in_interrupt {
            raw::take_pending::<B>(bits);
        }
    }

    /// The bits on which a store relies, and which say whether a mapping is still pending.
    #[inline]
    pub(crate) fn bits_of_store(&self) -> B::Storage {
        self.bits
    }

    /// Stores `descriptor` in `slot`, and defers the pair if it needs one.
    ///
    /// The store is one 64-bit access, never torn, made at once: only its barriers wait. The store
    /// of a valid table descriptor is ordered after all earlier stores of the thread
    /// ([`Descriptor::points_to_table`]).
    #[inline]
    pub fn write<D: Descriptor>(&mut self, slot: impl Slot, descriptor: D) {
        if store::put_descriptor::<B, D>(slot.atomic(), descriptor) {
            self.note_store();
        }
    }

    /// [`write`](Self::write) to an entry that is given by its address.
    ///
    /// # Safety
    ///
    /// `slot` is valid for reads and writes of 64 bits, and aligned to 8 bytes. Whatever else
    /// accesses it at the same time does so with 64-bit atomic accesses, or is the hardware.
    #[inline]
    pub unsafe fn write_ptr<D: Descriptor>(&mut self, slot: *mut u64, descriptor: D) {
        // SAFETY: the caller promises what `from_ptr` asks for.
        self.write(unsafe { AtomicU64::from_ptr(slot) }, descriptor);
    }

    /// Stores `descriptor(i)` in `slots[i]`, for each `i` in order, and then decides once whether
    /// the pair is needed: it is if any of the entries needs it.
    ///
    /// Until this returns the entries count for nobody: a section that `descriptor` opens and
    /// leaves, or a flush, does not make the earlier ones visible.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    /// use lazy_mmu::sim::Sim;
    ///
    /// let table = [const { AtomicU64::new(0) }; 512];
    /// lazy_mmu::with::<Sim, _>(|mmu| {
    ///     // 16 pages from 1 GiB on.
    ///     mmu.write_range(&table[..16], |i| {
    ///         Leaf::page(0x4000_0000 + 4096 * i as u64, KERNEL_DATA)
    ///     });
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If `descriptor` does. The entries stored until then stay, and count.
    #[inline]
    pub fn write_range<D: Descriptor>(
        &mut self,
        slots: impl Slots,
        descriptor: impl FnMut(usize) -> D,
    ) {
        store::put_range::<B, D>(slots.atomics(), descriptor, || self.note_store());
    }

    /// Defers the pair for descriptors that other code has stored before this call.
    ///
    /// Code that can return early or panic after its store belongs in
    /// [`note_stores`](Self::note_stores).
    #[inline]
    pub fn note_store(&mut self) {
        if !raw::deferred(self.bits_of_store()) {
            raw::cold_path();
            B::Machine::barrier();
        }
    }

    /// [`note_stores`](crate::note_stores()), deferred into this section: runs `f`, which stores
    /// descriptors by other means than this crate, and defers the pair for these stores on every
    /// way out.
    #[inline]
    pub fn note_stores<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _note = OnDrop(|| self.note_store());
        f()
    }

    /// The entry as last written: by this section, by another CPU, or by the hardware (access flag,
    /// dirty state).
    ///
    /// Stores are made at once, so a read needs no flush before it.
    #[inline]
    pub fn read(&self, slot: impl Slot) -> u64 {
        slot.atomic().load(Ordering::Relaxed)
    }

    /// Holds back `value`, which is good only once the stores made so far through this section are
    /// visible: the address of a mapping that was just made, say.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    /// use lazy_mmu::sim::{Sim, is_settled};
    ///
    /// let [one, two] = [const { AtomicU64::new(0) }; 2];
    /// lazy_mmu::with::<Sim, _>(|mmu| {
    ///     mmu.write(&one, Leaf::page(0x4000_0000, KERNEL_DATA));
    ///     mmu.write(&two, Leaf::page(0x4000_1000, KERNEL_DATA));
    ///     let mapping = mmu.pending("both pages");
    ///     let proof = mmu.flush();
    ///     assert_eq!(mapping.get(&proof), "both pages");
    /// });
    /// ```
    #[inline]
    pub fn pending<T>(&mut self, value: T) -> Pending<'a, T, B> {
        proof::pending(self.bits_of_store(), value)
    }

    /// [`write`](Self::write), and holds back `value` until the store is visible.
    #[inline]
    pub fn write_pending<D: Descriptor, T>(
        &mut self,
        slot: impl Slot,
        descriptor: D,
        value: T,
    ) -> Pending<'a, T, B> {
        self.write(slot, descriptor);
        self.pending(value)
    }
}

// Free functions, because rustc suggests every associated function that returns `Self`, a private
// one too, to whoever tries to build a guard by hand.

/// The guard of a section that has been entered.
#[inline]
pub(super) fn guard<'a, L: Nesting, B: Backend>(bits: B::Storage) -> LazyMmu<'a, L, B> {
    LazyMmu {
        bits,
        nesting: PhantomData,
        brand: PhantomData,
        _thread: BoundToThread::HERE,
    }
}

/// Enters through the handle of the task, which the guard borrows.
#[inline]
pub(crate) fn enter_outer<'a, B: Backend>(bits: B::Storage) -> LazyMmu<'a, Outer, B> {
    raw::enter_owned::<B>(bits);
    guard(bits)
}

impl<L: Nesting, B: Backend> Drop for LazyMmu<'_, L, B> {
    #[inline]
    fn drop(&mut self) {
        if L::MAY_END {
            raw::leave_owned::<B>(self.bits);
        } else if self.is_inert() {
            raw::leave_inert::<B>();
        } else {
            raw::leave_nested::<B>(self.bits);
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
