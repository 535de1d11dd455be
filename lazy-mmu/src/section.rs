//! The guard of an open section, and the closure form.

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::backend::{Backend, Event};
use crate::bits::Storage as _;
use crate::descriptor::Descriptor;
use crate::global::Global;
use crate::level::{Dynamic, DynamicToken, Level, OpenSection, Outer};
use crate::pause::OpenPause;
use crate::raw::{self, BoundToThread, Kind};
use crate::store;
use crate::visible::{self, Visible};

/// An open lazy MMU section: stores of descriptors made while it lives are deferred, and its drop emits the barrier
/// pair that they need.
///
/// `L` is the section's level ([`Outer`], [`Nested`](crate::Nested) or [`Dynamic`]), `B` the backend. There are three
/// ways in, from the most checked at compile time to the least: [`Task::enter`](crate::Task::enter) and then
/// [`nest`](Self::nest), the closure form [`with`], and the attribute `#[lazy_mmu]`.
///
/// The guard borrows where it came from, so that guards can be dropped in the right order only: dropped in any
/// other, independent guards would leave the mode on, and a barrier lost. It cannot be cloned, nor sent to or
/// shared with another thread: the bits that it changes are its own thread's. `'a` is invariant.
#[must_use = "a section lasts as long as its guard: bind it to a name (`let _ = ..` closes the section at once)"]
pub struct LazyMmu<'a, L: Level, B: Backend = Global> {
    bits: B::Storage,
    token: L::Token<'a>,
    brand: PhantomData<fn(&'a ()) -> &'a ()>,
    _thread: BoundToThread,
}

impl<'a, L: Level, B: Backend> LazyMmu<'a, L, B> {
    /// Opens a section inside this one, which cannot be used until the inner one is left.
    ///
    /// Entering costs nothing. Leaving emits what is pending, of this section's stores too, and the mode goes on. To
    /// defer into this section instead, hand on `&mut LazyMmu<..>`.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::descriptor::{Leaf, UXN, VALID};
    /// use lazy_mmu::sim::{Event, Sim, take_trace};
    ///
    /// let slot = AtomicU64::new(0);
    /// lazy_mmu::with::<Sim, _>(|outer| {
    ///     let mut inner = outer.nest();
    ///     inner.write(&slot, Leaf(0x4000_0000 | UXN | VALID));
    ///     inner.leave();
    ///     // The mapping can be used here, before `outer` is left.
    ///     assert!(take_trace().contains(&Event::Isb));
    /// });
    /// ```
    #[inline]
    pub fn nest(&mut self) -> LazyMmu<'_, L::Nested, B> {
        B::observe(Event::Enter(if L::is_inert(&self.token) {
            Kind::Inert
        } else {
            Kind::Nested
        }));
        guard(self.bits, L::nest(&mut self.token))
    }

    /// Emits the pair now, if a store awaits it; the section stays open.
    ///
    /// All stores that this thread has made before it, at every level, are visible when it returns; the result proves
    /// that, and redeems this section's [`Pending`](crate::Pending) mappings. (In an interrupt the section is inert:
    /// each of its stores was followed by its pair at once, and what the interrupted thread has pending stays so. A
    /// context that only counts as an interrupt, softirqs disabled say, is no exception.)
    #[inline]
    pub fn flush(&mut self) -> Visible<'_, 'a, B> {
        self.settle();
        visible::proof()
    }

    /// Leaves the section, as dropping the guard does, and returns the proof that all stores before it are visible.
    #[inline]
    pub fn leave(mut self) -> Visible<'a, 'a, B> {
        if !L::drop_flushes(&self.token) {
            self.settle();
        }
        drop(self);
        visible::proof()
    }

    #[inline]
    fn settle(&mut self) {
        if self.may_settle() {
            raw::settle::<B>(self.bits);
        }
    }

    /// Whether what is pending is this thread's to settle. An inert section that was entered while the mode was paused does
    /// it too: if the pause has ended, other sections may have deferred stores.
    #[inline]
    fn may_settle(&self) -> bool {
        !L::is_inert(&self.token) || !B::in_interrupt()
    }

    /// For a sequence of barriers that covers what is pending, and is executed by the caller next.
    #[inline]
    pub(crate) fn mark_settled(&mut self) {
        if self.may_settle() {
            raw::settled::<B>(self.bits);
        }
    }

    /// For a mapping that is pending: the bits that say whether it still is, and whether it never was.
    #[inline]
    pub(crate) fn bits_and_whether_immediate(&self) -> (B::Storage, bool) {
        (self.bits, L::is_inert(&self.token))
    }

    /// For a pause: the bits, whether the section is inert, and where it remembers its pause.
    #[inline]
    pub(crate) fn pause_parts(&mut self) -> (B::Storage, bool, Option<&mut OpenPause>) {
        let inert = L::is_inert(&self.token);
        (self.bits, inert, L::open_pause(&mut self.token))
    }

    /// Stores `descriptor` in `slot`, and defers the pair if it needs one.
    ///
    /// The store is one 64-bit access, never torn, made at once: only its barriers wait.
    #[inline]
    pub fn write<D: Descriptor>(&mut self, slot: &AtomicU64, descriptor: D) {
        // A descriptor that panics does so before the store.
        let needed = descriptor.needs_barrier();
        store::put::<B>(slot, descriptor.bits());
        if needed {
            self.note_store();
        }
    }

    /// [`write`](Self::write) to an entry that is given by its address.
    ///
    /// # Safety
    ///
    /// `slot` is valid for a 64-bit write, and aligned to 8 bytes; whatever else accesses it at the same time does so
    /// with 64-bit atomic accesses, or is the hardware.
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
    /// use lazy_mmu::descriptor::{Leaf, UXN, VALID};
    /// use lazy_mmu::sim::Sim;
    ///
    /// let table = [const { AtomicU64::new(0) }; 512];
    /// lazy_mmu::with::<Sim, _>(|mmu| {
    ///     // 16 pages from 1 GiB on.
    ///     mmu.write_range(&table[..16], |i| Leaf((0x4000_0000 + 4096 * i as u64) | UXN | VALID));
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
        struct Decide<'s, 'a, L: Level, B: Backend> {
            section: &'s mut LazyMmu<'a, L, B>,
            needed: bool,
        }
        impl<L: Level, B: Backend> Drop for Decide<'_, '_, L, B> {
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
        for (i, slot) in slots.iter().enumerate() {
            let descriptor = descriptor(i);
            // A descriptor that panics does so before its store.
            let needed = descriptor.needs_barrier();
            store::put::<B>(slot, descriptor.bits());
            decide.needed |= needed;
        }
    }

    /// Defers the pair for descriptors that somebody else has stored before this call: another paging crate, say.
    ///
    /// It does not know them, so it counts them as needing the pair. Call it before an error of that crate's is passed on: it
    /// may have stored already.
    #[inline]
    pub fn note_store(&mut self) {
        if L::is_inert(&self.token) {
            B::barrier();
        } else {
            raw::defer::<B>(self.bits);
        }
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
fn guard<L: Level, B: Backend>(bits: B::Storage, token: L::Token<'_>) -> LazyMmu<'_, L, B> {
    LazyMmu {
        bits,
        token,
        brand: PhantomData,
        _thread: BoundToThread::HERE,
    }
}

/// Enters for the task's handle that keeps `open`.
#[inline]
pub(crate) fn enter_outer<B: Backend>(
    bits: B::Storage,
    open: &mut OpenSection,
) -> LazyMmu<'_, Outer, B> {
    // No look at the interrupt state: the handle of a task is not used in one.
    open.enter(raw::enter_at::<B>(bits, false));
    guard(bits, open)
}

/// Enters in whatever context this is.
///
/// Not for users, who could forget the guard. The closure form and the attribute do not let them have it.
#[inline]
pub(crate) fn enter_dynamic<'a, B: Backend>() -> LazyMmu<'a, Dynamic, B> {
    let (bits, in_interrupt) = B::context();
    guard(
        bits,
        DynamicToken::new(raw::enter_at::<B>(bits, in_interrupt)),
    )
}

impl<L: Level, B: Backend> Drop for LazyMmu<'_, L, B> {
    #[inline]
    fn drop(&mut self) {
        L::leave::<B>(self.bits, &mut self.token);
    }
}

impl<L: Level, B: Backend> fmt::Debug for LazyMmu<'_, L, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyMmu")
            .field("inert", &L::is_inert(&self.token))
            .field("bits", &self.bits.load())
            .finish_non_exhaustive()
    }
}

/// The section of an attributed function.
///
/// Not for users: who has it could forget it. The expansion binds it to a variable that the function's body cannot name.
#[inline]
pub fn section<B: Backend>() -> LazyMmu<'static, Dynamic, B> {
    enter_dynamic()
}

/// What an attributed function's body gets of its section: a guard whose drop does nothing.
///
/// The body has a mutable reference to it, and the borrow checker may let it be exchanged for a nested guard of another
/// section; so it is not the one on which the leave depends.
#[inline]
pub fn view<'a, B: Backend>(
    section: &'a mut LazyMmu<'static, Dynamic, B>,
) -> LazyMmu<'a, Dynamic, B> {
    guard(section.bits, section.token.view())
}

/// Runs `f` in a section of its own, and leaves it when `f` returns or panics.
///
/// `f` borrows the section and cannot keep, forget or exchange it. In an interrupt, and while the mode is paused, the
/// section is [inert](Kind::Inert): every store through it is followed by its pair at once.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::descriptor::{Leaf, UXN, VALID};
/// use lazy_mmu::sim::{Sim, pairs, take_trace};
///
/// let table = [const { AtomicU64::new(0) }; 512];
/// lazy_mmu::with::<Sim, _>(|mmu| {
///     for (slot, page) in table.iter().zip(0u64..) {
///         mmu.write(slot, Leaf(page << 12 | UXN | VALID));
///     }
/// });
/// // 512 stores, and one `dsb ishst; isb`.
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
#[inline]
pub fn with<B: Backend, R>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic, B>) -> R) -> R {
    f(&mut enter_dynamic())
}
