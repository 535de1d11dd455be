//! TLB invalidation, in sections and outside.
//!
//! An invalidation is complete when it returns, and does at least what the barrier pair does. An
//! invalidation in a section therefore clears the pending pair, and leaving the section emits
//! nothing. If no store awaits its pair, the machine may invalidate [without the effect of the
//! pair](crate::Machine::invalidate_only). The [machine](crate::Machine) decides which instructions
//! execute.

use super::guard::LazyMmu;
use super::nesting::Nesting;
use super::proof::{self, Visible};
use crate::protocol::backend::{Backend, Machine as _};
use crate::protocol::range::{Invalidation, Scope, VirtualRange};
use crate::protocol::raw;

/// Removes the entries of `scope` that translate `range` from the TLBs. The invalidation is
/// complete when `invalidate` returns.
///
/// This is for code that does not hold a guard. A guard has [`LazyMmu::invalidate`]. The
/// invalidation includes the effect of the barrier pair (on aarch64 `dsb ishst; isb`). The calling
/// thread therefore does not have a pending pair afterwards. In interrupt context, the pending pair
/// belongs to the interrupted thread and stays pending.
///
/// ```
/// use lazy_mmu::Scope;
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::sim::{Event, pairs, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     mmu.note_store();
///     lazy_mmu::invalidate::<Mmu>(page, Scope::PAGES);
/// });
/// let trace = take_trace();
/// assert_eq!(trace[1..4], [Event::DsbIshst, Event::Tlbi(page.start()), Event::DsbIsh]);
/// assert_eq!(pairs(&trace), 0); // Leaving the section emitted nothing.
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[inline]
pub fn invalidate<B: Backend>(range: VirtualRange, scope: Scope) {
    invalidate_here::<B>(&[Invalidation { range, scope }]);
}

/// Removes the leaves of `range` from the TLBs, page by page.
///
/// It is [`invalidate`] with [`Scope::PAGES`].
///
/// ```
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::sim::{Event, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let pages = Granule::Kib4.range(0xffff_8000_0000_0000, 2)?;
/// lazy_mmu::flush_tlb_kernel_range::<Mmu>(pages);
/// let each = [0xffff_8000_0000_0000, 0xffff_8000_0000_1000].map(Event::Tlbi);
/// assert_eq!(take_trace()[1..3], each);
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[inline]
pub fn flush_tlb_kernel_range<B: Backend>(range: VirtualRange) {
    invalidate::<B>(range, Scope::PAGES);
}

/// Removes the leaves of `range` from the TLBs, and everything that walks have cached of the tables
/// above them.
///
/// Use it for a range whose table is removed. It is [`invalidate`] with [`Scope::ALL_LEVELS`].
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::Table;
/// use lazy_mmu::aarch64::{Granule, update};
/// use lazy_mmu::sim::{Event, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// // The table translates 2 MiB.
/// let range = Granule::Kib4.entry(2, 0xffff_8000_0000_0000)?;
/// let slot = AtomicU64::new(Table::at(0x4800_0000).0);
/// let old = update::get_and_clear::<Mmu>(&slot);
/// lazy_mmu::flush_tlb_kernel_pgtable::<Mmu>(range);
/// assert!(take_trace().contains(&Event::TlbiTable(range.start())));
/// assert_eq!(Table(old).address(Granule::Kib4), 0x4800_0000); // this frame is free
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[inline]
pub fn flush_tlb_kernel_pgtable<B: Backend>(range: VirtualRange) {
    invalidate::<B>(range, Scope::ALL_LEVELS);
}

/// Removes all translations of the kernel's regime from the TLBs of all CPUs.
///
/// Like [`invalidate`], it is complete when it returns, and clears the pending pair.
///
/// ```
/// use lazy_mmu::sim::{Event, pairs, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     mmu.note_store();
///     lazy_mmu::flush_tlb_all::<Mmu>();
/// });
/// let trace = take_trace();
/// assert!(trace.contains(&Event::TlbiAll));
/// assert_eq!(pairs(&trace), 0); // Leaving the section emitted nothing.
/// ```
#[inline]
pub fn flush_tlb_all<B: Backend>() {
    raw::take_own_pending::<B>();
    B::Machine::invalidate_all();
}

/// Executes `invalidations` as one sequence, for code that does not hold a guard.
#[inline]
pub(crate) fn invalidate_here<B: Backend>(invalidations: &[Invalidation]) {
    let pending = raw::take_own_pending::<B>();
    raw::invalidate::<B>(invalidations, pending);
}

impl<'id, L: Nesting, B: Backend> LazyMmu<'id, L, B> {
    /// Removes the entries of `scope` that translate `range` from the TLBs. The invalidation is
    /// complete when `invalidate` returns.
    ///
    /// The invalidation includes the effect of the barrier pair, so the section does not have a
    /// pending pair afterwards. It returns the same proof as [`flush`](Self::flush).
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::Scope;
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// let slot = AtomicU64::new(0);
    /// let old = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
    /// lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     let page = mmu.write_pending(&slot, Leaf::page(0x4000_0000, KERNEL_DATA), "new page");
    ///     let proof = mmu.invalidate(old, Scope::PAGES);
    ///     assert_eq!(page.get(&proof), "new page"); // No pair of its own was needed.
    /// });
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
    #[inline]
    pub fn invalidate(&mut self, range: VirtualRange, scope: Scope) -> Visible<'_, 'id, B> {
        self.invalidate_each(&[Invalidation { range, scope }])
    }

    /// Removes the leaves of `range` from the TLBs, page by page.
    ///
    /// It is [`invalidate`](Self::invalidate) with [`Scope::PAGES`]. [`flush_tlb_kernel_range`]
    /// shows an example.
    #[inline]
    pub fn flush_tlb_kernel_range(&mut self, range: VirtualRange) -> Visible<'_, 'id, B> {
        self.invalidate(range, Scope::PAGES)
    }

    /// Removes the leaves of `range` from the TLBs, and everything that walks have cached of the
    /// tables above them.
    ///
    /// Use it for a range whose table is removed. It is [`invalidate`](Self::invalidate) with
    /// [`Scope::ALL_LEVELS`]. [`flush_tlb_kernel_pgtable`] shows an example.
    #[inline]
    pub fn flush_tlb_kernel_pgtable(&mut self, range: VirtualRange) -> Visible<'_, 'id, B> {
        self.invalidate(range, Scope::ALL_LEVELS)
    }

    /// Removes all translations of the kernel's regime from the TLBs of all CPUs.
    ///
    /// Like [`invalidate`](Self::invalidate), it is complete when it returns, and clears the
    /// pending pair. It returns the same proof. [`flush_tlb_all`] shows an example.
    #[inline]
    pub fn flush_tlb_all(&mut self) -> Visible<'_, 'id, B> {
        self.take_pending();
        B::Machine::invalidate_all();
        proof::proof()
    }

    /// Executes `invalidations` as one sequence, in this section.
    #[inline]
    pub(crate) fn invalidate_each(
        &mut self,
        invalidations: &[Invalidation],
    ) -> Visible<'_, 'id, B> {
        let pending = self.take_pending();
        raw::invalidate::<B>(invalidations, pending);
        proof::proof()
    }
}
