//! What the registered backend is asked for, counted.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lazy_mmu::{Backend, Invalidation, Machine, Wrapper};

use crate::kernel::Mmu;

type Inner = <Mmu as Backend>::Machine;

/// How often each of the backend's functions was called.
pub(crate) struct Counts {
    pub(crate) pairs: Counter,
    pub(crate) table_barriers: Counter,
    pub(crate) invalidations: Counter,
    pub(crate) begins: Counter,
    pub(crate) ends: Counter,
}

/// A number that one CPU counts.
pub(crate) struct Counter(AtomicUsize);

impl Counter {
    pub(crate) const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// A load and a store: as long as the MMU is off, the memory is Device memory, in which atomic
    /// read-modify-writes may not work.
    pub(crate) fn count(&self) {
        self.0.store(self.get() + 1, Relaxed);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Counts {
    pub(crate) const fn new() -> Self {
        Self {
            pairs: Counter::new(),
            table_barriers: Counter::new(),
            invalidations: Counter::new(),
            begins: Counter::new(),
            ends: Counter::new(),
        }
    }

    /// Keeps what has been counted, and begins at 0 again.
    pub(crate) fn move_to(&self, kept: &Self) {
        for (from, to) in self.each().into_iter().zip(kept.each()) {
            to.0.store(from.get(), Relaxed);
            from.0.store(0, Relaxed);
        }
    }

    /// Pairs, table barriers, invalidations, and how often the mode began and ended.
    pub(crate) fn get(&self) -> [usize; 5] {
        self.each().map(Counter::get)
    }

    fn each(&self) -> [&Counter; 5] {
        [
            &self.pairs,
            &self.table_barriers,
            &self.invalidations,
            &self.begins,
            &self.ends,
        ]
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

/// What has been counted since the last [`Counts::move_to`].
pub(crate) static NOW: Counts = Counts::new();

/// The kernel's backend, with its barriers and invalidations counted. Its hooks count themselves.
pub(crate) struct Counting;

// SAFETY: the barriers and invalidations are the inner machine's.
unsafe impl Wrapper for Counting {
    type Inner = Mmu;

    fn barrier() {
        NOW.pairs.count();
        Inner::barrier();
    }

    fn table_barrier() {
        NOW.table_barriers.count();
        Inner::table_barrier();
    }

    fn invalidate(invalidations: &[Invalidation]) {
        NOW.invalidations.count();
        Inner::invalidate(invalidations);
    }

    fn invalidate_all() {
        NOW.invalidations.count();
        Inner::invalidate_all();
    }
}
