//! Tests of the hooks (K04): preemption is disabled while pairs are deferred, and enabled again on
//! every way out.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::{Sim, pairs, take_trace};
use lazy_mmu::{Task, lazy_mmu, paused};
use lazy_mmu_examples::preempt::{NoPreemption, PreemptCount};

/// The preempt count of the current thread of the host.
struct Count;

thread_local! {
    static COUNT: &'static AtomicU32 = Box::leak(Box::default());
}

impl PreemptCount for Count {
    fn current() -> &'static AtomicU32 {
        COUNT.with(|count| *count)
    }
}

type Mmu = NoPreemption<Sim, Count>;

fn disabled() -> u32 {
    Count::current().load(Ordering::Relaxed)
}

const LEAF: Leaf = Leaf::page(0x4000_0000, KERNEL_DATA);

#[lazy_mmu(backend = Mmu, mmu)]
fn map(slots: &[AtomicU64], until: usize) -> Result<(), usize> {
    for (i, slot) in slots.iter().enumerate() {
        assert_eq!(disabled(), 1);
        if i == until {
            return Err(i);
        }
        mmu.write(slot, LEAF);
    }
    Ok(())
}

#[test]
fn k04_early_return() {
    let slots = [const { AtomicU64::new(0) }; 4];
    assert_eq!((map(&slots, 2), map(&slots, 9)), (Err(2), Ok(())));
    assert_eq!((disabled(), pairs(&take_trace())), (0, 2));
}

#[test]
fn k04_pause() {
    let slot = AtomicU64::new(0);
    lazy_mmu::with::<Mmu, _>(|mmu| {
        mmu.write(&slot, LEAF);
        mmu.paused(|| assert_eq!(disabled(), 0, "paused code may be preempted"));
        paused::<Mmu, _>(|| assert_eq!(disabled(), 0));
        assert_eq!(disabled(), 1);
    });
    assert_eq!(disabled(), 0);
}

#[test]
fn k04_panic() {
    let slot = AtomicU64::new(0);
    let panics = || {
        lazy_mmu::with::<Mmu, _>(|mmu| {
            mmu.write(&slot, LEAF);
            assert_eq!(disabled(), 0, "provoked: it is 1");
        });
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    assert_eq!((disabled(), pairs(&take_trace())), (0, 1));
}

#[test]
fn k04_a_forgotten_section_and_its_handle() {
    // SAFETY: this is the only handle of this thread.
    let mut task = unsafe { Task::<Mmu>::current() };
    core::mem::forget(task.enter());
    assert_eq!(disabled(), 1, "until the handle is used");
    assert!(task.check_idle().is_ok());
    assert_eq!(disabled(), 0);
}
