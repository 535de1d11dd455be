//! Books of what is owed, kept beside the crate's bits: which stores of a thread have had their barrier pair, and on which
//! CPU.
//!
//! A missing barrier has no effect under emulation, and with several CPUs nothing can be single-stepped. So the programs
//! with threads have a backend that counts: what a thread stored that needs the pair, and up to where the pairs that were
//! executed cover it. Before a thread uses a mapping, both must be the same. The books of a handler are its CPU's: what it
//! does is not counted for the thread that it interrupted.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use aarch64_cpu::asm::barrier;

use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::{Backend, Descriptor, Event, Invalidation, Machine as _, Wrapped, Wrapper};

use crate::scheduler;

/// What one thread, or the handlers of one CPU, have stored, and what of it is visible.
#[derive(Debug, Default)]
pub struct Books {
    /// Stores that need the pair.
    stored: AtomicU64,
    /// How many of them are complete: a `dsb` has been executed behind them by the CPU that made them.
    complete: AtomicU64,
    /// How many of them have had their pair.
    visible: AtomicU64,
    /// Whether the CPU that runs the thread has executed an `isb` since it took the thread over.
    synchronized: AtomicBool,
    /// The CPU that executed the last pair.
    cpu: AtomicUsize,
}

impl Books {
    /// Empty.
    pub const fn new() -> Self {
        Self {
            stored: AtomicU64::new(0),
            complete: AtomicU64::new(0),
            visible: AtomicU64::new(0),
            synchronized: AtomicBool::new(true),
            cpu: AtomicUsize::new(0),
        }
    }

    fn store(&self) {
        // Nobody else writes it.
        let stored = self.stored.load(Relaxed);
        self.stored.store(stored + 1, Relaxed);
    }

    /// Executes `pair`, which makes everything visible that is stored until now.
    fn pair(&self, pair: impl FnOnce()) {
        let stored = self.stored.load(Relaxed);
        pair();
        self.complete.store(stored, Relaxed);
        self.visible.store(stored, Relaxed);
        self.synchronized.store(true, Relaxed);
        self.cpu.store(crate::smp::cpu(), Relaxed);
    }

    /// A context switch owes `dsb ish` on the CPU that gives the thread up.
    pub(crate) fn leave_cpu(&self) {
        barrier::dsb(barrier::ISH);
        self.complete.store(self.stored.load(Relaxed), Relaxed);
        self.synchronized.store(false, Relaxed);
    }

    /// A context switch owes `isb` on the CPU that takes the thread over, after it has taken it:
    /// that CPU may have fetched the thread's next instructions, and translated their addresses,
    /// before the thread's mappings were visible.
    pub(crate) fn take_over(&self) {
        barrier::isb(barrier::SY);
        self.synchronized.store(true, Relaxed);
    }

    /// The thread goes on, on another CPU than before, whose barriers complete nothing that the
    /// thread has stored there.
    pub(crate) fn enter_another_cpu(&self) {
        let stored = self.stored.load(Relaxed);
        let complete = self.complete.load(Relaxed);
        assert_eq!(
            complete, stored,
            "C12: a thread goes on with stores that its last CPU has not completed"
        );
    }

    /// Before a mapping is used.
    pub fn check_visible(&self) {
        let stored = self.stored.load(Relaxed);
        let visible = self.visible.load(Relaxed);
        assert_eq!(visible, stored, "a pair is missing before an access");
        assert!(
            self.synchronized.load(Relaxed),
            "C12: the context switch has executed no isb"
        );
    }

    /// How many stores wait for their pair.
    pub fn owed(&self) -> u64 {
        self.stored.load(Relaxed) - self.visible.load(Relaxed)
    }

    /// How many stores there were that need the pair.
    pub fn stored(&self) -> u64 {
        self.stored.load(Relaxed)
    }

    /// The CPU that executed the last pair.
    pub fn cpu_of_last_pair(&self) -> usize {
        self.cpu.load(Relaxed)
    }
}

/// The backend `B`, with books.
pub type Ledger<B> = Wrapped<Bookkeeper<B>>;

/// What differs from `B`.
#[derive(Debug)]
pub struct Bookkeeper<B>(PhantomData<B>);

impl<B: Backend> Bookkeeper<B> {
    fn books() -> &'static Books {
        if B::in_interrupt() {
            scheduler::books_of_handlers()
        } else {
            &scheduler::current().books
        }
    }
}

// SAFETY: everything is `B`'s; the books have no effect on it.
unsafe impl<B: Backend> Wrapper for Bookkeeper<B> {
    type Inner = B;

    fn barrier() {
        Self::books().pair(B::Machine::barrier);
    }

    /// It is a pair too for the stores before its first barrier. Nothing is stored meanwhile.
    fn invalidate(invalidations: &[Invalidation]) {
        Self::books().pair(|| B::Machine::invalidate(invalidations));
    }

    fn invalidate_all() {
        Self::books().pair(B::Machine::invalidate_all);
    }

    fn observe(event: Event) {
        if let Event::Store { value, .. } = event
            && Leaf(value).needs_barrier()
        {
            Self::books().store();
        }
        B::Machine::observe(event);
    }
}
