//! The backend of tables that walkers do not reach: it does not execute a barrier.

use core::marker::PhantomData;

use super::eager::Eager;
use crate::protocol::backend::Machine;
use crate::protocol::range::Invalidation;

/// The backend of tables that walkers do not reach: its stores and invalidations execute neither a
/// barrier nor a TLBI.
///
/// It lets one function change both live tables and these tables. They are, for example, tables at
/// boot before the MMU is on, or tables of a new address space before they are linked. The function
/// takes the backend from its section. Only `unsafe` code can choose this backend: the `unsafe
/// impl` of [`NoWalker`] says for which tables.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::take_trace;
/// use lazy_mmu::{Backend, LazyMmu, Nesting, NoWalker, Unreached, with};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// /// Maps the pages of a table, whichever table it is.
/// fn map<B: Backend>(mmu: &mut LazyMmu<'_, impl Nesting, B>, table: &[AtomicU64]) {
///     mmu.write_range(table, |i| Leaf::page(4096 * i as u64, KERNEL_DATA));
/// }
///
/// /// The tables of a new process.
/// struct NewProcess;
///
/// // SAFETY: `fork` uses it for tables that it has not linked yet, and the link orders the stores.
/// unsafe impl NoWalker for NewProcess {}
///
/// fn fork(table: &[AtomicU64]) {
///     with::<Unreached<NewProcess>, _>(|mmu| map(mmu, table));
/// }
/// # let table = [const { AtomicU64::new(0) }; 512];
/// # fork(&table);
/// assert!(take_trace().is_empty());
/// with::<Mmu, _>(|mmu| map(mmu, &table)); // a live table
/// ```
pub type Unreached<T> = Eager<NoBarriers<T>>;

/// A claim that walkers do not reach certain tables, for [`Unreached`].
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, Table};
/// use lazy_mmu::sim::take_trace;
/// use lazy_mmu::{NoWalker, Unreached};
///
/// /// Fills the boot tables before the MMU is on.
/// fn build(parent: &AtomicU64, children: &[AtomicU64; 512]) {
///     /// Only this function can name the type.
///     struct BootTables;
///
///     // SAFETY: the MMU is off. The barrier before the change of TTBR orders the stores.
///     unsafe impl NoWalker for BootTables {}
///
///     type Mmu = Unreached<BootTables>;
///     lazy_mmu::link_table::<Mmu, _>(parent, Table::at(0x4800_0000), children, |i| {
///         Leaf::page(4096 * i as u64, KERNEL_DATA)
///     });
/// }
/// # build(&AtomicU64::new(0), &[const { AtomicU64::new(0) }; 512]);
/// assert!(take_trace().is_empty()); // 513 stores, no barrier
/// ```
///
/// # Safety
///
/// The implementor promises, for all code that can name the type:
///
/// * Code uses [`Unreached`] of this type as a backend only for tables that walkers of any CPU do
///   not reach. TLBs do not hold translations from these tables.
/// * A barrier orders these stores before a walker can reach the tables. It is the barrier of a
///   [table descriptor](crate::Descriptor::points_to_table) that another backend stores, or the
///   barrier before the change of TTBR.
pub unsafe trait NoWalker: 'static {}

/// The machine of tables that walkers do not reach. Its methods execute nothing.
///
/// [`Unreached`] is the backend of this machine. Code that is generic over the machine names it:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{pairs, take_trace};
/// use lazy_mmu::{Eager, Machine, NoBarriers, NoWalker};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// /// Maps a page, with a barrier at once if `M` has one.
/// fn map<M: Machine>(slot: &AtomicU64) {
///     lazy_mmu::write::<Eager<M>, _>(slot, Leaf::page(0x4000_0000, KERNEL_DATA));
/// }
///
/// struct BootTables;
///
/// // SAFETY: the type is used only before the MMU is on. The barrier before the change of TTBR
/// // orders the stores.
/// unsafe impl NoWalker for BootTables {}
///
/// let slot = AtomicU64::new(0);
/// map::<NoBarriers<BootTables>>(&slot);
/// assert_eq!(pairs(&take_trace()), 0);
/// map::<Mmu>(&slot); // a live table
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
#[derive(Debug)]
pub struct NoBarriers<T>(PhantomData<T>);

// SAFETY: the implementor of `T` promises that walkers do not reach the tables. The order of the
// stores therefore does not matter, not even to the compiler.
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
