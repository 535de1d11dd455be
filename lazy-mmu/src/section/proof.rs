//! Pending mappings, and the proofs that unlock them.
//!
//! Separate from the guard, because the proofs add nothing to its stores, flushes and leaves. The
//! proofs consist of lifetimes. Only the unlocking of a mapping executes code: it tests the bits.
//!
//! A mapping that is made in a section is [`Pending`]: it holds a value, for example an address,
//! and does not give it out. `LazyMmu::flush` and `LazyMmu::leave` return a [`Visible`], the proof
//! that earlier stores have been followed by their pair. With the proof, `Pending::get` returns the
//! value. The lifetimes enforce two rules:
//!
//! * A proof is not older than the mapping that it unlocks. The proof holds the mutable borrow of
//!   its section, so the next mapping in that section ends the proof.
//! * A proof unlocks the mappings of its own section only. Both have the identity of the section,
//!   which is an invariant lifetime.
//!
//! The identity of a closure's section is unique. The identity of a section of `nest`, of a task
//! handle or of the attribute is a borrow, and two borrows may be equally long. In code that holds
//! guards of two independent sections at once, the compiler may therefore accept the proof of the
//! wrong section. For that case `Pending::get` looks at the bits too, and emits the pair if one is
//! pending. With the right proof, a pair is pending only if other code has stored since.

use core::fmt;
use core::marker::PhantomData;

use crate::protocol::backend::{Backend, Global, Machine as _};
use crate::protocol::bits::{Bits, Storage as _};
use crate::protocol::token::BoundToThread;

/// The identity of a section. It is invariant, so neither a longer nor a shorter lifetime fits.
type Brand<'id> = PhantomData<fn(&'id ()) -> &'id ()>;

/// A value that is locked until its mapping is [visible](Visible).
///
/// The value is usually the address of the mapping. [`LazyMmu::pending`](crate::LazyMmu::pending)
/// and [`LazyMmu::write_pending`](crate::LazyMmu::write_pending) lock a value. [`get`](Self::get)
/// unlocks it with the proof that [`LazyMmu::flush`](crate::LazyMmu::flush) or
/// [`LazyMmu::leave`](crate::LazyMmu::leave) returns.
///
/// # Returning a pending mapping
///
/// A function that maps in the section of its caller returns a `Pending`. The lifetime `'id`
/// connects the returned value with the section:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::{LazyMmu, Nesting, Pending};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// fn map<'id, L: Nesting>(
///     mmu: &mut LazyMmu<'id, L, Mmu>,
///     slot: &AtomicU64,
/// ) -> Pending<'id, usize, Mmu> {
///     mmu.write_pending(slot, Leaf::page(0x4000_0000, KERNEL_DATA), 0xffff_8000_0000_0000)
/// }
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     let page = map(mmu, &slot);
///     let proof = mmu.flush();
///     assert_eq!(page.get(&proof), 0xffff_8000_0000_0000);
/// });
/// ```
///
/// With the registered backend, the last argument of both types can be left out, because [`Global`]
/// is its default.
///
/// If `'id` is missing, rustc reports E0106 and suggests one lifetime `'a` for the section and for
/// the borrow of the section. That signature is wrong. The returned value borrows the section for
/// its whole life, so the caller can no longer flush the section:
///
/// ```compile_fail,E0499
/// # use core::sync::atomic::AtomicU64;
/// # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// # use lazy_mmu::{LazyMmu, Nesting, Pending};
/// # type Mmu = lazy_mmu::sim::Sim;
/// fn map<'a, L: Nesting>(
///     mmu: &'a mut LazyMmu<'a, L, Mmu>, // wrong
///     slot: &AtomicU64,
/// ) -> Pending<'a, usize, Mmu> {
///     mmu.write_pending(slot, Leaf::page(0x4000_0000, KERNEL_DATA), 0xffff_8000_0000_0000)
/// }
///
/// # let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     let page = map(mmu, &slot);
///     let proof = mmu.flush(); // error: `mmu` is still borrowed
///     page.get(&proof);
/// });
/// ```
///
/// # Drop and threads
///
/// Dropping a `Pending` drops the value, possibly before the pair has been emitted. Do not lock a
/// value whose `Drop` accesses the mapping. A `Pending` cannot be sent to another thread, because
/// the pair belongs to its own thread.
#[must_use = "the value stays locked; call `get` with the proof that `flush` or `leave` returns"]
pub struct Pending<'id, T, B: Backend = Global> {
    value: T,
    /// The bits that decide whether the stores are still pending. Those of an inert section are the
    /// inert bits, because its stores were immediate.
    bits: BoundToThread<B::Storage>,
    brand: Brand<'id>,
}

/// A proof that earlier stores of this thread have been followed by their barrier pair (on aarch64
/// `dsb ishst; isb`).
///
/// The mapping of such a store is *visible*: this thread may use it.
/// [`LazyMmu::flush`](crate::LazyMmu::flush) and [`LazyMmu::leave`](crate::LazyMmu::leave) return a
/// proof, as [`LazyMmu::write_sync`](crate::LazyMmu::write_sync) and the TLB invalidations of a
/// section do. The proof unlocks the [`Pending`] values of the section. The next store in the
/// section ends the proof, because the proof borrows the section:
///
/// ```compile_fail,E0499
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let [one, two] = [const { AtomicU64::new(0) }; 2];
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     let page = mmu.write_pending(&one, Leaf::page(0x4000_0000, KERNEL_DATA), "one");
///     let proof = mmu.flush();
///     mmu.write(&two, Leaf::page(0x4000_1000, KERNEL_DATA)); // error: `proof` borrows `mmu`
///     page.get(&proof);
/// });
/// ```
///
/// Without the second store, the example compiles.
///
/// # Parameters
///
/// * `'v` is the borrow of the section. It ends before the next store in the section. The proof of
///   [`LazyMmu::leave`](crate::LazyMmu::leave) borrows nothing, because the section has ended.
/// * `'id` is the identity of the section, as in [`Pending`].
/// * `B` is the [backend](Backend).
///
/// A function that takes a proof names `'id` only. A function that returns one names both:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::{LazyMmu, Nesting, Pending, Visible};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// /// Returns the addresses of mappings that are visible.
/// fn addresses<'id>(
///     pages: [Pending<'id, usize, Mmu>; 2],
///     proof: &Visible<'_, 'id, Mmu>,
/// ) -> [usize; 2] {
///     pages.map(|page| page.get(proof))
/// }
///
/// /// Flushes the section of the caller.
/// fn finish<'v, 'id, L: Nesting>(mmu: &'v mut LazyMmu<'id, L, Mmu>) -> Visible<'v, 'id, Mmu> {
///     mmu.flush()
/// }
///
/// let [one, two] = [const { AtomicU64::new(0) }; 2];
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     let one = mmu.write_pending(&one, Leaf::page(0x4000_0000, KERNEL_DATA), 0x1000);
///     let two = mmu.write_pending(&two, Leaf::page(0x4000_1000, KERNEL_DATA), 0x2000);
///     assert_eq!(addresses([one, two], &finish(mmu)), [0x1000, 0x2000]);
/// });
/// ```
///
/// # Stores that the proof covers
///
/// * Normally the proof covers all earlier stores of this thread, in whichever section they were
///   made. It does not cover the stores of a `write_range`, `link_table` or `note_stores` that has
///   not returned.
/// * In interrupt context, the proof of an inert section covers the stores of that section only,
///   each of which was followed by its pair at once. The pair of the interrupted thread stays
///   pending.
/// * In the handler of a synchronous exception, the proof covers the stores of the handler only
///   (see [`raw`](crate::raw#exception-handlers)).
///
/// # Threads and CPUs
///
/// The proof stays true after its thread has moved to another CPU, because the context switch
/// executes a context synchronization event there (a duty of the [`Backend`]). Another thread that
/// learns of the mapping on another CPU needs an `isb`, or an exception entry or return, before it
/// uses the mapping. A proof therefore cannot be sent to another thread.
pub struct Visible<'v, 'id, B: Backend = Global> {
    section: PhantomData<&'v mut ()>,
    brand: Brand<'id>,
    backend: PhantomData<B>,
    _thread: BoundToThread,
}

impl<'id, T, B: Backend> Pending<'id, T, B> {
    /// Returns the value, whose mapping is visible.
    ///
    /// The compiler accepts only a `proof` with the identity `'id`. If a pair is pending
    /// nevertheless, for example because other code has stored since, `get` emits the pair.
    /// [`Pending`] shows an example.
    #[inline]
    pub fn get(self, proof: &Visible<'_, 'id, B>) -> T {
        let _ = proof;
        if self.bits.0.load().contains(Bits::PENDING) {
            // Either the proof belongs to another section with an equal identity, or other code has
            // stored since the proof was made. PENDING stays set, because the section that owes the
            // pair emits it for its own stores.
            B::Machine::barrier();
        }
        self.value
    }
}

impl<T, B: Backend> fmt::Debug for Pending<'_, T, B> {
    /// Does not show the value, because it is locked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

impl<B: Backend> fmt::Debug for Visible<'_, '_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visible").finish_non_exhaustive()
    }
}

/// Makes a proof. The caller has just ensured that every earlier store of this thread has its pair.
#[inline]
pub(crate) fn proof<'v, 'id, B: Backend>() -> Visible<'v, 'id, B> {
    Visible {
        section: PhantomData,
        brand: PhantomData,
        backend: PhantomData,
        _thread: BoundToThread::HERE,
    }
}

/// Locks `value` until the stores that rely on `bits` are visible.
#[inline]
pub(crate) fn pending<'id, T, B: Backend>(bits: B::Storage, value: T) -> Pending<'id, T, B> {
    Pending {
        value,
        bits: BoundToThread(bits),
        brand: PhantomData,
    }
}
