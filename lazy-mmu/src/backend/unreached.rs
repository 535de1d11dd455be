//! Tables that no walker reaches: no barrier is needed.

use super::eager::Eager;
use crate::protocol::backend::Machine;
use crate::protocol::range::Invalidation;
use crate::section::closure;
use crate::section::guard::LazyMmu;
use crate::section::nesting::Dynamic;

/// The machine of tables that no walker reaches. Its users cannot name it: [`unreached`] gives it.
#[derive(Debug)]
pub struct NoWalker;

// SAFETY: only `unreached` hands it out, whose caller promises that no walker reaches the tables.
unsafe impl Machine for NoWalker {
    #[inline]
    fn barrier() {}

    #[inline]
    fn table_barrier() {}

    #[inline]
    fn invalidate(_: &[Invalidation]) {}

    #[inline]
    fn invalidate_all() {}
}

/// Runs `f` with a section through which stores execute no barrier, and invalidations nothing: for
/// tables that no walker reaches yet, by the code that changes live tables.
///
/// At boot, before the MMU is on; or the tables of a new address space, before they are linked. The
/// walker is generic over the backend, or takes it from the section:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Event, Sim, take_trace};
/// use lazy_mmu::{Backend, LazyMmu, Nesting};
///
/// fn map<B: Backend>(mmu: &mut LazyMmu<'_, impl Nesting, B>, table: &[AtomicU64]) {
///     mmu.write_range(table, |i| Leaf::page(4096 * i as u64, KERNEL_DATA));
/// }
///
/// let table = [const { AtomicU64::new(0) }; 512];
/// // SAFETY: the table is not linked yet; the store that links it orders these before it.
/// unsafe { lazy_mmu::unreached(|mmu| map(mmu, &table)) };
/// assert!(take_trace().is_empty());
/// lazy_mmu::with::<Sim, _>(|mmu| map(mmu, &table)); // the live one
/// ```
///
/// # Safety
///
/// * No walker, of any CPU, reaches the tables that `f` changes through the section, and no TLB has
///   translations from them.
/// * Before a walker may reach them, the caller executes what orders these stores before that: the
///   store of a [table descriptor](crate::Descriptor::points_to_table) by another section, or the
///   barrier before the change of TTBR.
/// * `f` passes the section's backend on to no other code that outlives it.
#[inline]
pub unsafe fn unreached<R>(
    f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic, Eager<NoWalker>>) -> R,
) -> R {
    closure::with(f)
}
