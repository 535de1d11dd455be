//! The guard of an open section, and the closure form.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::backend::{Backend, Event};
use crate::bits::Storage as _;
use crate::descriptor::Descriptor;
use crate::global::Global;
use crate::nesting::{Dynamic, Nesting, Outer};
use crate::raw::{self, BoundToThread, Kind};
use crate::store::{self, OnDrop};
use crate::visible::{self, Visible};

/// An open lazy MMU section: stores of descriptors made while it lives are deferred, and its drop emits the barrier
/// pair that they need.
///
/// `L` says how the section was entered ([`Outer`], [`Nested`](crate::Nested) or [`Dynamic`]), `B`
/// the backend. There are three ways in, from the most checked at compile time to the least:
/// [`Task::enter`](crate::Task::enter) and then [`nest`](Self::nest), the closure form [`with`],
/// and the attribute `#[lazy_mmu]`.
///
/// The guard borrows where it came from, so that guards can be dropped in the right order only: dropped in any
/// other, independent guards would leave the mode on, and a barrier lost. It cannot be cloned, nor sent to or
/// shared with another thread: the bits that it changes are its own thread's. `'a` is invariant.
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
    /// Entering costs nothing. Leaving emits what is pending, of this section's stores too, and the mode goes on. To
    /// defer into this section instead, hand on `&mut LazyMmu<..>`.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::descriptor::{KERNEL_DATA, Leaf};
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
        B::observe(Event::Enter(if self.is_inert() {
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
        visible::proof()
    }

    /// Leaves the section, as dropping the guard does, and returns the proof that all stores before it are visible.
    #[inline]
    pub fn leave(self) -> Visible<'a, 'a, B> {
        drop(self);
        visible::proof()
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
    pub fn write<D: Descriptor>(&mut self, slot: &AtomicU64, descriptor: D) {
        if store::put_descriptor::<B, D>(slot, descriptor) {
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

    /// Stores `descriptor(i)` in `slots[i]`, for each `i` in order, and then decides once whether the pair is needed:
    /// it is if any of the entries needs it.
    ///
    /// Until this returns the entries count for nobody: a section that `descriptor` opens and leaves, or a flush, does
    /// not make the earlier ones visible.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::descriptor::{KERNEL_DATA, Leaf};
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
        slots: &[AtomicU64],
        mut descriptor: impl FnMut(usize) -> D,
    ) {
        // Decides when it is dropped, so that a panic in `descriptor` does not lose the pair of what was stored.
        struct Decide<'s, 'a, L: Nesting, B: Backend> {
            section: &'s mut LazyMmu<'a, L, B>,
            needed: bool,
        }
        impl<L: Nesting, B: Backend> Drop for Decide<'_, '_, L, B> {
            #[inline]
            fn drop(&mut self) {
                if self.needed {
                    self.section.note_store();
                }
            }
        }

        let mut decide = Decide {
            section: self,
            needed: false,
        };
        let mut slots = slots.iter().enumerate();
        // Until one needs the pair, each is asked; from then on the loop is that of the stores alone.
        while !decide.needed {
            let Some((i, slot)) = slots.next() else {
                return;
            };
            decide.needed = store::put_descriptor::<B, D>(slot, descriptor(i));
        }
        for (i, slot) in slots {
            store::put_descriptor::<B, D>(slot, descriptor(i));
        }
    }

    /// Defers the pair for descriptors that other code has stored before this call.
    ///
    /// Code that can return early or panic after its store belongs in
    /// [`note_stores`](Self::note_stores).
    #[inline]
    pub fn note_store(&mut self) {
        if !raw::deferred(self.bits_of_store()) {
            raw::cold_path();
            B::barrier();
        }
    }

    /// [`note_stores`](crate::note_stores()), deferred into this section: runs `f`, which stores descriptors by other
    /// means than this crate, and defers the pair for these stores on every way out.
    #[inline]
    pub fn note_stores<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _note = OnDrop(|| self.note_store());
        f()
    }

    /// The entry as last written: by this section, by another CPU, or by the hardware (access flag, dirty state).
    ///
    /// Stores are made at once, so a read needs no flush before it.
    #[inline]
    pub fn read(&self, slot: &AtomicU64) -> u64 {
        slot.load(Ordering::Relaxed)
    }
}

// Free functions, because rustc suggests every associated function that returns `Self`, a private one too, to
// whoever tries to build a guard by hand.

/// The guard of a section that has been entered.
#[inline]
fn guard<'a, L: Nesting, B: Backend>(bits: B::Storage) -> LazyMmu<'a, L, B> {
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

/// The section of the closure form or of the attribute: its token. Its drop leaves.
///
/// Not for users, who could forget it. What they get is a [view].
#[derive(Debug)]
pub struct DynamicSection<B: Backend> {
    /// The thread's, or the inert place.
    bits: B::Storage,
    /// Whether it began the mode.
    outermost: bool,
    _thread: BoundToThread,
}

impl<B: Backend> Drop for DynamicSection<B> {
    #[inline]
    fn drop(&mut self) {
        leave_dynamic::<B>(self.bits, self.outermost);
    }
}

/// Out of line: a function with such a section ends with a jump to this.
#[inline(never)]
fn leave_dynamic<B: Backend>(bits: B::Storage, outermost: bool) {
    if outermost {
        raw::leave_at::<B>(bits, Kind::Outermost);
    } else if bits == B::Storage::inert() {
        raw::leave_inert::<B>();
    } else {
        raw::leave_nested::<B>(bits);
    }
}

/// The section of an attributed function, entered in whatever context this is. The expansion binds
/// it to a variable that the function's body cannot name.
#[inline]
pub fn section<B: Backend>() -> DynamicSection<B> {
    let (bits, in_interrupt) = B::context();
    let kind = raw::enter_at::<B>(bits, in_interrupt).kind();
    DynamicSection {
        bits: if kind == Kind::Inert {
            B::Storage::inert()
        } else {
            bits
        },
        outermost: kind == Kind::Outermost,
        _thread: BoundToThread::HERE,
    }
}

/// What an attributed function's body gets of its section, and a closure too: a guard that is never dropped.
///
/// The body has a mutable reference to it, and the borrow checker may let it be exchanged for a nested guard of another
/// section; so it is not the one on which the leave depends. (What is exchanged for it is then a nested guard that is
/// forgotten, which loses nothing.)
pub struct View<'a, B: Backend>(ManuallyDrop<LazyMmu<'a, Dynamic, B>>);

impl<'a, B: Backend> View<'a, B> {
    /// The section, for the body.
    #[inline]
    pub fn section(&mut self) -> &mut LazyMmu<'a, Dynamic, B> {
        &mut self.0
    }
}

impl<B: Backend> fmt::Debug for View<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A view of an attributed function's section.
#[inline]
pub fn view<B: Backend>(section: &mut DynamicSection<B>) -> View<'_, B> {
    View(ManuallyDrop::new(guard(section.bits)))
}

/// Runs `f` in a section of its own, and leaves it when `f` returns or panics.
///
/// `f` borrows the section and cannot keep, forget or exchange it. In an interrupt, and while the mode is paused, the
/// section is [inert](Kind::Inert): every store through it is followed by its pair at once.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Sim, pairs, take_trace};
///
/// let table = [const { AtomicU64::new(0) }; 512];
/// lazy_mmu::with::<Sim, _>(|mmu| {
///     for (slot, page) in table.iter().zip(0u64..) {
///         mmu.write(slot, Leaf::page(4096 * page, KERNEL_DATA));
///     }
/// });
/// // 512 stores, and one `dsb ishst; isb`.
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
#[inline]
pub fn with<B: Backend, R>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic, B>) -> R) -> R {
    f(view(&mut section()).section())
}
