//! Counts the calls of the registered backend.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lazy_mmu::{Backend, Invalidation, Machine, Wrapper};

use crate::kernel::Mmu;

type Inner = <Mmu as Backend>::Machine;

/// A function of the backend, or of its hooks.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    Pairs,
    TableBarriers,
    Invalidations,
    Begins,
    Ends,
}

/// The number of calls of each function. Only one CPU counts.
pub(crate) struct Counts([AtomicUsize; 5]);

impl Counts {
    pub(crate) const fn new() -> Self {
        Self([const { AtomicUsize::new(0) }; 5])
    }

    /// Counts a call by a load and a store. While the MMU is off, the memory is Device memory, in
    /// which atomic read-modify-writes may not work.
    pub(crate) fn count(&self, of: Of) {
        let counter = &self.0[of as usize];
        counter.store(counter.load(Relaxed) + 1, Relaxed);
    }

    /// Moves the counts to `kept`, and restarts at 0.
    pub(crate) fn move_to(&self, kept: &Self) {
        for (from, to) in self.0.iter().zip(&kept.0) {
            to.store(from.load(Relaxed), Relaxed);
            from.store(0, Relaxed);
        }
    }

    /// Returns the pairs, table barriers, invalidations, begins and ends of the mode.
    pub(crate) fn get(&self) -> [usize; 5] {
        self.0.each_ref().map(|it| it.load(Relaxed))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [pairs, table_barriers, invalidations, begins, ends] = self.get();
        write!(
            f,
            "pairs {pairs}, table barriers {table_barriers}, invalidations {invalidations}, \
             the mode began {begins} and ended {ends}"
        )
    }
}

/// The counts since the last [`Counts::move_to`].
pub(crate) static NOW: Counts = Counts::new();

/// The kernel's backend with counted barriers and invalidations. Its hooks count themselves.
pub(crate) struct Counting;

// SAFETY: the inner machine executes the barriers and invalidations.
unsafe impl Wrapper for Counting {
    type Inner = Mmu;

    fn barrier() {
        NOW.count(Of::Pairs);
        Inner::barrier();
    }

    fn table_barrier() {
        NOW.count(Of::TableBarriers);
        Inner::table_barrier();
    }

    fn invalidate(invalidations: &[Invalidation]) {
        NOW.count(Of::Invalidations);
        Inner::invalidate(invalidations);
    }

    fn invalidate_all() {
        NOW.count(Of::Invalidations);
        Inner::invalidate_all();
    }
}
