//! The mode switched off: every store is followed by its pair at once.

use core::marker::PhantomData;

use crate::protocol::backend::{Backend, Machine};
use crate::protocol::bits::{Bits, Storage};

/// The machine `M` with the mode switched off: same API, same barriers, no sections.
///
/// Every store that needs the pair is followed by it at once; enter and leave compile to nothing,
/// and no thread has bits. For a kernel that wants to compare, or whose machine gains nothing from
/// batching; the sections in its source stay as they are.
///
/// So a walker that is shared with an architecture on which making an entry valid needs no barrier
/// (x86-64) needs no `cfg`: there the machine's barriers are empty, and its sections are nothing.
///
/// ```
/// use lazy_mmu::{Eager, Invalidation, Machine};
///
/// struct X86;
///
/// # mod shootdown { pub fn range(_: &[lazy_mmu::Invalidation]) {} pub fn all() {} }
/// // SAFETY: on x86-64 a walk is ordered after earlier stores, and an invalid entry is not cached;
/// // the kernel's shootdown returns when every CPU has executed `invlpg`.
/// unsafe impl Machine for X86 {
///     fn barrier() {}
///     fn table_barrier() {}
///     fn invalidate(invalidations: &[Invalidation]) {
///         shootdown::range(invalidations);
///     }
///     fn invalidate_all() {
///         shootdown::all();
///     }
/// }
///
/// lazy_mmu::with::<Eager<X86>, _>(|mmu| mmu.note_store());
/// ```
pub struct Eager<M>(PhantomData<M>);

/// No bits: a thread that is paused forever.
///
/// So the state machine makes each section inert and each store immediate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Off;

impl Storage for Off {
    /// The same: each section is one that has no effect on the thread.
    #[inline]
    fn inert() -> Self {
        Self
    }

    #[inline]
    fn load(self) -> Bits {
        Bits::PAUSED
    }

    #[inline]
    unsafe fn set(self, _: Bits, _: Bits) {}

    #[inline]
    unsafe fn clear(self, _: Bits, _: Bits) {}
}

// SAFETY: no bits are ever set, so no pair is ever deferred.
unsafe impl<M: Machine> Backend for Eager<M> {
    type Storage = Off;
    type Machine = M;

    #[inline]
    fn current() -> Off {
        Off
    }

    /// Never: it would change nothing, because every store is immediate anyway.
    #[inline]
    fn in_interrupt() -> bool {
        false
    }
}
