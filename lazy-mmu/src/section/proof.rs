//! Mappings that cannot be used before their barrier pair: a value, and the proof that redeems it.
//!
//! Separate from the guard because it adds lifetimes, and one look at the bits when a mapping is
//! redeemed, but nothing to the guard's stores, flushes and leaves.
//!
//! A mapping that is made in a section is [`Pending`]: it carries what the caller wants, an address
//! say, and does not give it out. `LazyMmu::flush` and `LazyMmu::leave` return a [`Visible`], the
//! proof that everything stored before has its pair; against that proof the value comes out.
//!
//! * A proof is not older than what it redeems: it holds the mutable borrow of its section, so
//!   making another mapping there ends it.
//! * A proof is good for its own section's mappings: both carry the section's brand, which is
//!   invariant.
//!
//! The brand of a closure's section is that section's alone. That of `nest`, of a task's section
//! and of the attribute is a borrow, and the borrows of two sections may be equally long: where
//! code holds two lineages of sections at once, the compiler may not tell their brands apart. So
//! redeeming looks at the bits too, and emits the pair if it is owed still. It never is where the
//! proof is the right one.

use core::fmt;
use core::marker::PhantomData;

use crate::protocol::backend::{Backend, Global, Machine as _};
use crate::protocol::bits::{Bits, Storage as _};
use crate::protocol::token::BoundToThread;

/// The brand of a section: invariant, so that neither a longer nor a shorter one fits.
type Brand<'id> = PhantomData<fn(&'id ()) -> &'id ()>;

/// A value, usually an address, that is locked until the mapping's barrier has executed.
///
/// [`LazyMmu::pending`](crate::LazyMmu::pending) and
/// [`LazyMmu::write_pending`](crate::LazyMmu::write_pending) make one; [`get`](Self::get) redeems
/// it. It is not `Send`, because the pair is its own thread's.
///
/// If it is dropped unredeemed, the value is dropped with it, perhaps before the pair. A `T` whose
/// `Drop` accesses the mapping does not belong here.
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
/// In the handler of a synchronous exception it is of the handler's own stores; see
/// [`raw`](crate::raw#exception-handlers).
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
            // A proof with the same brand, but of another section; or a store that somebody else
            // has made since. The bit stays: the section that owes the pair emits it for whatever
            // it stored.
            B::Machine::barrier();
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

/// The proof that every store of this thread so far has its pair: whoever calls has just seen to
/// that.
#[inline]
pub(crate) fn proof<'v, 'id, B: Backend>() -> Visible<'v, 'id, B> {
    Visible {
        section: PhantomData,
        brand: PhantomData,
        backend: PhantomData,
        _thread: BoundToThread::HERE,
    }
}

/// Holds back `value` until the stores that rely on `bits` are visible.
#[inline]
pub(crate) fn pending<'id, T, B: Backend>(bits: B::Storage, value: T) -> Pending<'id, T, B> {
    Pending {
        value,
        bits,
        brand: PhantomData,
        _thread: BoundToThread::HERE,
    }
}
