//! The mode switched off: each store executes its barrier pair at once.

use core::marker::PhantomData;

use crate::protocol::backend::{Backend, Machine};
use crate::protocol::bits::{Bits, Storage};

/// The backend of the machine `M` with the lazy MMU mode switched off: the same API and the same
/// barriers, but sections have no effect.
///
/// Each store that needs the barrier pair executes it at once. Enter and leave compile to nothing,
/// and threads do not need bits. The sections in a kernel's source stay as they are. The type lets
/// a kernel measure the gain of its sections. It is also for machines that gain nothing from
/// batching.
///
/// Page-table code may be shared with an architecture on which making an entry valid does not need
/// a barrier (x86-64). The barriers of the machine are empty there, so the code does not need a
/// `cfg`:
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering, compiler_fence};
/// use lazy_mmu::{Eager, Invalidation, LazyMmu, Machine, Nesting, with};
/// # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
///
/// struct X86;
///
/// # mod shootdown { pub fn range(_: &[lazy_mmu::Invalidation]) {} pub fn all() {} }
/// // SAFETY: on x86-64 a walk is ordered after earlier stores, and invalid entries are not cached.
/// // The fences keep the compiler from moving accesses. The kernel's shootdown returns after every
/// // CPU has executed `invlpg`.
/// unsafe impl Machine for X86 {
///     fn barrier() {
///         compiler_fence(Ordering::SeqCst);
///     }
///     fn table_barrier() {
///         compiler_fence(Ordering::SeqCst);
///     }
///     fn invalidate(invalidations: &[Invalidation]) {
///         shootdown::range(invalidations);
///     }
///     fn invalidate_all() {
///         shootdown::all();
///     }
/// }
///
/// type Mmu = Eager<X86>; // on aarch64: `Aarch64<Kernel>`
///
/// # let (slot, entry) = (AtomicU64::new(0), Leaf::page(0x4000_0000, KERNEL_DATA));
/// with::<Mmu, _>(|mmu| mmu.write(&slot, entry));
/// ```
pub struct Eager<M>(PhantomData<M>);

/// The storage of a thread that is always paused. It does not store bits.
///
/// The state machine therefore makes each section inert and each store immediate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Off;

impl Storage for Off {
    /// The same value, because each section has no effect on the thread.
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

// SAFETY: the bits are never set, so a pair is never deferred.
unsafe impl<M: Machine> Backend for Eager<M> {
    type Storage = Off;
    type Machine = M;

    #[inline]
    fn current() -> Off {
        Off
    }

    /// Always false. The value has no effect, because each store is immediate anyway.
    #[inline]
    fn in_interrupt() -> bool {
        false
    }
}
