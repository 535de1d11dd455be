//! Tables that no walker reaches: no barrier is needed.

use core::marker::PhantomData;

use super::eager::Eager;
use crate::protocol::backend::Machine;
use crate::protocol::range::Invalidation;

/// The backend of tables that no walker reaches: its stores execute no barrier, and its
/// invalidations nothing.
///
/// For tables at boot, before the MMU is on, and for those of a new address space, before they are
/// linked, by the code that changes live tables. Only `unsafe` code can choose it: it says by
/// [`NoWalker`] which tables those are. A walker takes the backend from its section:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Sim, take_trace};
/// use lazy_mmu::{Backend, LazyMmu, Nesting, NoWalker, Unreached, with};
///
/// fn map<B: Backend>(mmu: &mut LazyMmu<'_, impl Nesting, B>, table: &[AtomicU64]) {
///     mmu.write_range(table, |i| Leaf::page(4096 * i as u64, KERNEL_DATA));
/// }
///
/// /// The tables of a new process.
/// struct NewProcess;
///
/// // SAFETY: `fork` uses it for tables that it has not linked yet, and its link orders the stores.
/// unsafe impl NoWalker for NewProcess {}
///
/// fn fork(table: &[AtomicU64]) {
///     with::<Unreached<NewProcess>, _>(|mmu| map(mmu, table));
/// }
/// # let table = [const { AtomicU64::new(0) }; 512];
/// # fork(&table);
/// assert!(take_trace().is_empty());
/// with::<Sim, _>(|mmu| map(mmu, &table)); // a live one
/// ```
pub type Unreached<T> = Eager<NoBarriers<T>>;

/// Tables that no walker reaches, for [`Unreached`].
///
/// # Safety
///
/// Wherever [`Unreached`] of this type is used as a backend, by whichever code can name the type:
///
/// * No walker, of any CPU, reaches the tables that it changes, and no TLB has translations from
///   them.
/// * Before a walker may reach them, what is executed orders these stores before that: the store of
///   a [table descriptor](crate::Descriptor::points_to_table) by another backend, or the barrier
///   before the change of TTBR.
pub unsafe trait NoWalker: 'static {}

/// The machine of tables that no walker reaches.
#[derive(Debug)]
pub struct NoBarriers<T>(PhantomData<T>);

// SAFETY: `T`'s author promises that no walker reaches the tables.
unsafe impl<T: NoWalker> Machine for NoBarriers<T> {
    #[inline]
    fn barrier() {}

    #[inline]
    fn table_barrier() {}

    #[inline]
    fn invalidate(_: &[Invalidation]) {}

    #[inline]
    fn invalidate_all() {}
}
