//! Mappings that cannot be used before their barrier pair: a value, and the proof that redeems it.
//!
//! Separate from the sections because it adds nothing to their stores, flushes and leaves: it is lifetimes, and one look at
//! the bits when a mapping is redeemed.
//!
//! A mapping that is made in a section is [`Pending`]: it carries what the caller wants, an address say, and does not
//! give it out. [`LazyMmu::flush`] and [`LazyMmu::leave`] return a [`Visible`], the proof that everything stored before
//! has its pair; against that proof the value comes out.
//!
//! * A proof is not older than what it redeems: it holds the mutable borrow of its section, so making another mapping there
//!   ends it.
//! * A proof is good for its own section's mappings: both carry the section's brand, which is invariant.
//!
//! The brand of a closure's section is that section's alone. That of `nest`, of a task's section and of the attribute is
//! a borrow, and the borrows of two sections may be equally long: where code holds two lineages of sections at once, the
//! compiler may not tell their brands apart. So redeeming looks at the bits too, and emits the pair if it is owed still.
//! It never is where the proof is the right one.

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::AtomicU64;

use crate::backend::Backend;
use crate::bits::{Bits, Storage as _};
use crate::descriptor::Descriptor;
use crate::global::Global;
use crate::nesting::{Dynamic, Nesting};
use crate::raw::BoundToThread;
use crate::section::{self, LazyMmu};

/// The brand of a section: invariant, so that neither a longer nor a shorter one fits.
type Brand<'id> = PhantomData<fn(&'id ()) -> &'id ()>;

/// What a mapping is good for, not to be had before the mapping is visible.
///
/// Made by [`LazyMmu::pending`] and [`LazyMmu::write_pending`]; redeemed by [`get`](Self::get). Not `Send`: the pair
/// is its own thread's.
///
/// If it is dropped unredeemed the value is dropped with it, perhaps before the pair: a `T` whose `Drop` accesses the
/// mapping is not for here.
#[must_use = "the mapping is of no use before `get` redeems it against the proof that `flush` or `leave` returns"]
pub struct Pending<'id, T, B: Backend = Global> {
    value: T,
    /// The inert place, if the section has that: its stores were immediate.
    bits: B::Storage,
    brand: Brand<'id>,
    _thread: BoundToThread,
}

/// Proof that this thread's earlier stores have been followed by their barrier pair.
///
/// In an interrupt, and through a section that is inert there, it is the proof for the stores of
/// that section, each of which was followed by its pair at once; the interrupted thread's pair
/// stays pending.
///
/// In the handler of a synchronous exception it is of the handler's own stores; see [`raw`](crate::raw#exception-handlers).
///
/// It holds for this thread, also after the thread has moved to another CPU, because the context
/// switch executes a context synchronization event there ([`Backend`]'s duties). Another thread
/// that learns of the mapping on another CPU needs an `isb` of its own, or an exception entry or
/// return, before it uses the mapping. So the proof cannot be sent there.
pub struct Visible<'v, 'id, B: Backend = Global> {
    section: PhantomData<&'v mut ()>,
    brand: Brand<'id>,
    backend: PhantomData<B>,
    _thread: BoundToThread,
}

impl<'id, T, B: Backend> Pending<'id, T, B> {
    /// The value, now that the mapping is visible.
    #[inline]
    pub fn get(self, proof: &Visible<'_, 'id, B>) -> T {
        let _ = proof;
        if self.bits.load().contains(Bits::PENDING) {
            // A proof with the same brand, but of another section; or a store that somebody else has made since. The bit
            // stays: the section that owes the pair emits it for whatever it stored.
            B::barrier();
        }
        self.value
    }
}

impl<T, B: Backend> fmt::Debug for Pending<'_, T, B> {
    /// Does not show the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

impl<B: Backend> fmt::Debug for Visible<'_, '_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visible").finish_non_exhaustive()
    }
}

/// The proof that every store of this thread so far has its pair: whoever calls has just seen to that.
#[inline]
pub(crate) fn proof<'v, 'id, B: Backend>() -> Visible<'v, 'id, B> {
    Visible {
        section: PhantomData,
        brand: PhantomData,
        backend: PhantomData,
        _thread: BoundToThread::HERE,
    }
}

impl<'id, L: Nesting, B: Backend> LazyMmu<'id, L, B> {
    /// Holds back `value`, which is good only once the stores made so far through this section are visible: the address of
    /// a mapping that was just made, say.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::descriptor::{KERNEL_DATA, Leaf};
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
    pub fn pending<T>(&mut self, value: T) -> Pending<'id, T, B> {
        Pending {
            value,
            bits: self.bits_of_store(),
            brand: PhantomData,
            _thread: BoundToThread::HERE,
        }
    }

    /// [`write`](Self::write), and holds back `value` until the store is visible.
    #[inline]
    pub fn write_pending<D: Descriptor, T>(
        &mut self,
        slot: &AtomicU64,
        descriptor: D,
        value: T,
    ) -> Pending<'id, T, B> {
        self.write(slot, descriptor);
        self.pending(value)
    }
}

/// Runs `f` in a section of its own, leaves that, and returns what `f` mapped, visible.
///
/// For a function that opens a section, maps, leaves, and whose caller uses the mapping at once.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Sim, is_settled};
///
/// /// Maps a page, and returns its address, ready for use.
/// fn map_page(slot: &AtomicU64) -> usize {
///     let page = Leaf::page(0x4000_0000, KERNEL_DATA);
///     lazy_mmu::visible::<Sim, _>(|mmu| mmu.write_pending(slot, page, 0xffff_8000_0000_0000))
/// }
///
/// let slot = AtomicU64::new(0);
/// assert_eq!(map_page(&slot), 0xffff_8000_0000_0000);
/// assert!(is_settled(&slot));
/// ```
#[inline]
pub fn visible<B: Backend, T>(
    f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic, B>) -> Pending<'id, T, B>,
) -> T {
    let mut section = section::section();
    let mut view = section::view(&mut section);
    let pending = f(view.section());
    pending.get(&view.section().flush())
}

/// [`visible`] for an `f` that may fail.
///
/// # Errors
///
/// What `f` returns; the section is left, and stores that it made are visible, all the same.
#[inline]
pub fn try_visible<B: Backend, T, E>(
    f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic, B>) -> Result<Pending<'id, T, B>, E>,
) -> Result<T, E> {
    let mut section = section::section();
    let mut view = section::view(&mut section);
    let pending = f(view.section())?;
    Ok(pending.get(&view.section().flush()))
}
