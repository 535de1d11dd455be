//! Behaviour R09 through the registered backend: an invalidation says whether a store awaits its
//! barrier.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use lazy_mmu::riscv64::Mode;
use lazy_mmu::riscv64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::Sim;
use lazy_mmu::{Invalidation, Scope, Wrapped, Wrapper, global};

static WITH_BARRIER: AtomicUsize = AtomicUsize::new(0);
static WITHOUT: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: the simulated machine does not walk tables.
unsafe impl Wrapper for Counting {
    type Inner = Sim;

    fn invalidate(_: &[Invalidation]) {
        WITH_BARRIER.fetch_add(1, Ordering::Relaxed);
    }

    fn invalidate_only(_: &[Invalidation]) {
        WITHOUT.fetch_add(1, Ordering::Relaxed);
    }
}

lazy_mmu::set_global_backend!(Wrapped<Counting>);

#[test]
fn r09_the_registered_backend_is_told_whether_a_store_awaits_its_barrier() {
    let counts = || [&WITH_BARRIER, &WITHOUT].map(|it| it.load(Ordering::Relaxed));
    let range = Mode::Sv39.range(0x1000, 1).unwrap();
    let slot = AtomicU64::new(0);
    global::with(|mmu| {
        mmu.invalidate(range, Scope::PAGES);
        assert_eq!(counts(), [0, 1]);
        mmu.write(&slot, Leaf::page(0x8000_0000, KERNEL_DATA));
        mmu.invalidate(range, Scope::PAGES);
        assert_eq!(counts(), [1, 1]);
    });
    global::invalidate(range, Scope::PAGES);
    assert_eq!(counts(), [1, 2]);
}
