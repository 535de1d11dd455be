//! The first hart maps a page, and the other ones use it directly after the fence that the policy
//! demands. They run nothing else meanwhile. Then the first hart replaces the page's frame, and the
//! others use the new one directly after the invalidation.
//!
//! With [`Policy::OnFault`], a hart sees by its flag that the page is mapped. It executes the fence
//! at the start of an exception in one half of the rounds, and on the return path of one in the
//! other half.

use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release},
};

use lazy_mmu::riscv64::replace;
use lazy_mmu_qemu_riscv64::access::read_mapped;
use lazy_mmu_qemu_riscv64::hart;
use lazy_mmu_qemu_riscv64::policy::{self, Policy};
use lazy_mmu_qemu_riscv64::smp::{self, CPUS, relax};
use lazy_mmu_qemu_riscv64::tasks::masked;
use lazy_mmu_qemu_riscv64::thread::Mmu;
use lazy_mmu_qemu_riscv64::traps::take_exception;

use crate::shared::THREADS;
use crate::shared::own::{Own, Page};

const ROUNDS: usize = 8;

/// The last round whose page is mapped.
static MAPPED: AtomicUsize = AtomicUsize::new(0);
/// The last round whose page has its new frame.
static REPLACED: AtomicUsize = AtomicUsize::new(0);
/// How often a hart began to wait for a page.
static WAITING: AtomicUsize = AtomicUsize::new(0);
/// How often a hart has used a page.
static USED: AtomicUsize = AtomicUsize::new(0);

/// Returns the page of a round, counted from 1, with its first and its second frame. The handler of
/// the first hart uses it later.
fn frames(round: usize) -> [Page; 2] {
    let own = Own::new(THREADS + smp::first());
    [round, round + 1].map(|round| own.page_at(0, round))
}

fn wait(count: &AtomicUsize, value: usize) {
    while count.load(Acquire) < value {
        relax();
    }
}

/// The first hart maps a page in each round, and then replaces its frame.
pub(crate) fn lead() {
    for round in 1..=ROUNDS {
        let mut own = Own::new(THREADS + smp::first());
        own.round = round;
        wait(&WAITING, round * (CPUS - 1));
        let page = own.page();
        page.write::<Mmu>();
        page.check();
        if Policy::current() != Policy::OnFault {
            MAPPED.store(round, Release);
        }
        wait(&USED, (2 * round - 1) * (CPUS - 1));
        let [_, new] = frames(round);
        replace::<Mmu, _>(page.slot, page.range(), new.leaf).invalidate_now();
        REPLACED.store(round, Release);
        wait(&USED, 2 * round * (CPUS - 1));
        own.clear::<Mmu>();
    }
}

/// The others use it.
pub(crate) fn follow() {
    for round in 1..=ROUNDS {
        let [page, new] = frames(round);
        WAITING.fetch_add(1, Release);
        if Policy::current() == Policy::OnFault {
            masked(|| use_on_fault(page, round.is_multiple_of(2)));
        } else {
            wait(&MAPPED, round);
            assert_eq!(read_mapped(page.address), page.word);
        }
        USED.fetch_add(1, Release);
        wait(&REPLACED, round);
        assert_eq!(read_mapped(new.address), new.word);
        USED.fetch_add(1, Release);
    }
}

/// Uses a page after an exception: the page is mapped before it, or while it is handled.
fn use_on_fault(page: Page, is_mapped_in_handler: bool) {
    fn wait_for_flag() {
        while !policy::has_new_mappings(hart::number()) {
            relax();
        }
    }

    if is_mapped_in_handler {
        take_exception(wait_for_flag);
    } else {
        wait_for_flag();
        policy::may_fault_next();
    }
    assert_eq!(read_mapped(page.address), page.word);
}

const _: () = assert!(ROUNDS.is_multiple_of(2), "both ways are used equally often");
