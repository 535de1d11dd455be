//! Accounts beside the crate's bits: the stores of a thread that have had their barrier pair.
//!
//! A missing barrier has no effect under emulation, and several CPUs cannot be single-stepped. The
//! programs with threads therefore have a backend that counts. It counts the stores of each thread
//! that need the pair, and the stores that executed pairs cover. Before a thread uses a mapping,
//! both counts must be equal. Handlers have an account for each CPU, because their stores do not
//! belong to the thread that they interrupt.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use aarch64_cpu::asm::barrier;

use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::{Backend, Descriptor, Event, Invalidation, Machine as _, Wrapped, Wrapper};

use crate::scheduler;

/// The account of one thread, or of the handlers of one CPU.
#[derive(Debug, Default)]
pub struct Books {
    /// The stores that need the pair.
    stored: AtomicU64,
    /// The number of complete stores, after which their CPU has executed a `dsb`.
    complete: AtomicU64,
    /// The number of stores that have had their pair.
    visible: AtomicU64,
    /// Whether the thread's present CPU has executed an `isb` since it took the thread over.
    synchronized: AtomicBool,
    /// The CPU that executed the last pair.
    cpu: AtomicUsize,
}

impl Books {
    /// Returns an empty account.
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
        // Other code does not write to it.
        let stored = self.stored.load(Relaxed);
        self.stored.store(stored + 1, Relaxed);
    }

    /// Executes `pair`, which makes all earlier stores visible.
    fn pair(&self, pair: impl FnOnce()) {
        let stored = self.stored.load(Relaxed);
        pair();
        self.complete.store(stored, Relaxed);
        self.visible.store(stored, Relaxed);
        self.synchronized.store(true, Relaxed);
        self.cpu.store(crate::smp::cpu(), Relaxed);
    }

    /// Executes the `dsb ish` that a context switch owes on the CPU that gives the thread up.
    pub(crate) fn leave_cpu(&self) {
        barrier::dsb(barrier::ISH);
        self.complete.store(self.stored.load(Relaxed), Relaxed);
        self.synchronized.store(false, Relaxed);
    }

    /// Executes the `isb` that a context switch owes on the CPU that takes the thread over.
    ///
    /// It follows the switch, because the CPU may have fetched the thread's next instructions, and
    /// translated their addresses, before the thread's mappings were visible.
    pub(crate) fn take_over(&self) {
        barrier::isb(barrier::SY);
        self.synchronized.store(true, Relaxed);
    }

    /// Checks a thread that continues on another CPU. The barriers of the new CPU do not complete
    /// stores that the thread made on the old one.
    pub(crate) fn enter_another_cpu(&self) {
        let stored = self.stored.load(Relaxed);
        let complete = self.complete.load(Relaxed);
        assert_eq!(
            complete, stored,
            "C12: a thread goes on with stores that its last CPU has not completed"
        );
    }

    /// Checks that all mappings are visible, before the thread uses one.
    pub fn check_visible(&self) {
        let stored = self.stored.load(Relaxed);
        let visible = self.visible.load(Relaxed);
        assert_eq!(visible, stored, "a pair is missing before an access");
        assert!(
            self.synchronized.load(Relaxed),
            "C12: the context switch has executed no isb"
        );
    }

    /// Returns the number of stores that await their pair.
    pub fn owed(&self) -> u64 {
        self.stored.load(Relaxed) - self.visible.load(Relaxed)
    }

    /// Returns the number of stores that need the pair.
    pub fn stored(&self) -> u64 {
        self.stored.load(Relaxed)
    }

    /// Returns the CPU that executed the last pair.
    pub fn cpu_of_last_pair(&self) -> usize {
        self.cpu.load(Relaxed)
    }
}

/// The backend `B`, with accounts.
pub type Ledger<B> = Wrapped<Bookkeeper<B>>;

/// The methods that differ from those of `B`.
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

// SAFETY: all methods are those of `B`, and the accounts have no effect on it.
unsafe impl<B: Backend> Wrapper for Bookkeeper<B> {
    type Inner = B;

    fn barrier() {
        Self::books().pair(B::Machine::barrier);
    }

    /// Counts the invalidation as a pair too, for the stores before its first barrier. The thread
    /// does not store in the meantime.
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
