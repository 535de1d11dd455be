//! TLB invalidation, in sections and outside.
//!
//! An invalidation is complete on its own, and does what the barrier pair does, and more: so an
//! invalidation in a section settles the pending pair, and the leave that follows emits nothing.
//! What is executed, is the [machine](crate::Machine)'s.

use super::guard::LazyMmu;
use super::nesting::Nesting;
use super::proof::{self, Visible};
use crate::protocol::backend::{Backend, Machine as _};
use crate::protocol::range::{Invalidation, Scope, VirtualRange};
use crate::protocol::raw;

/// Removes the entries of `scope` that translate `range` from the TLBs, by code without a section
/// in hand; complete when it returns.
///
/// It settles the pair that the calling thread has pending. (In an interrupt the pending bit is the
/// interrupted thread's, and stays.)
///
/// ```
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::sim::{Event, Sim, pairs, take_trace};
/// use lazy_mmu::Scope;
///
/// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
/// lazy_mmu::with::<Sim, _>(|mmu| {
///     mmu.note_store();
///     lazy_mmu::invalidate::<Sim>(page, Scope::PAGES);
/// });
/// let trace = take_trace();
/// assert_eq!(trace[1..4], [Event::DsbIshst, Event::Tlbi(page.start()), Event::DsbIsh]);
/// assert_eq!(pairs(&trace), 0); // the invalidation does what the pair does, and more
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[inline]
pub fn invalidate<B: Backend>(range: VirtualRange, scope: Scope) {
    invalidate_here::<B>(&[Invalidation { range, scope }]);
}

/// Removes the leaves of `range` from the TLBs, page by page: [`invalidate`] of [`Scope::PAGES`].
#[inline]
pub fn flush_tlb_kernel_range<B: Backend>(range: VirtualRange) {
    invalidate::<B>(range, Scope::PAGES);
}

/// As [`flush_tlb_kernel_range`], and removes what walks have cached of the tables above: for a
/// range whose table is taken away. [`invalidate`] of [`Scope::ALL_LEVELS`].
#[inline]
pub fn flush_tlb_kernel_pgtable<B: Backend>(range: VirtualRange) {
    invalidate::<B>(range, Scope::ALL_LEVELS);
}

/// Removes everything of the kernel's regime from every TLB. As [`invalidate`].
#[inline]
pub fn flush_tlb_all<B: Backend>() {
    raw::take_own_pending::<B>();
    B::Machine::invalidate_all();
}

#[inline]
pub(crate) fn invalidate_here<B: Backend>(invalidations: &[Invalidation]) {
    raw::take_own_pending::<B>();
    B::Machine::invalidate(invalidations);
}

impl<'id, L: Nesting, B: Backend> LazyMmu<'id, L, B> {
    /// Removes the entries of `scope` that translate `range` from the TLBs; complete when it
    /// returns.
    ///
    /// It settles the pending pair: the result is the same proof as that of [`flush`](Self::flush).
    #[inline]
    pub fn invalidate(&mut self, range: VirtualRange, scope: Scope) -> Visible<'_, 'id, B> {
        self.invalidate_each(&[Invalidation { range, scope }])
    }

    /// Removes the leaves of `range` from the TLBs, page by page: [`invalidate`](Self::invalidate)
    /// of [`Scope::PAGES`].
    #[inline]
    pub fn flush_tlb_kernel_range(&mut self, range: VirtualRange) -> Visible<'_, 'id, B> {
        self.invalidate(range, Scope::PAGES)
    }

    /// As [`flush_tlb_kernel_range`](Self::flush_tlb_kernel_range), and removes what walks have
    /// cached of the tables above: for a range whose table is taken away.
    #[inline]
    pub fn flush_tlb_kernel_pgtable(&mut self, range: VirtualRange) -> Visible<'_, 'id, B> {
        self.invalidate(range, Scope::ALL_LEVELS)
    }

    /// Removes everything of the kernel's regime from every TLB. As
    /// [`invalidate`](Self::invalidate).
    #[inline]
    pub fn flush_tlb_all(&mut self) -> Visible<'_, 'id, B> {
        self.take_pending();
        B::Machine::invalidate_all();
        proof::proof()
    }

    #[inline]
    pub(crate) fn invalidate_each(
        &mut self,
        invalidations: &[Invalidation],
    ) -> Visible<'_, 'id, B> {
        self.take_pending();
        B::Machine::invalidate(invalidations);
        proof::proof()
    }
}
