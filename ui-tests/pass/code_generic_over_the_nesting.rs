// Without a bound, each kind of section would need its own copy of a helper. `Nesting` can be a
// bound, though only the crate implements it, and `nest` returns a `Nesting` again.
#![deny(warnings)]

use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::{Sim, pairs, take_trace};
use lazy_mmu::{Backend, LazyMmu, Nesting, Task};

fn fill<L: Nesting, B: Backend>(mmu: &mut LazyMmu<'_, L, B>, slots: &[AtomicU64]) {
    mmu.write_range(slots, |i| Leaf::page(4096 * i as u64, KERNEL_DATA));
}

fn fill_and_use<L: Nesting, B: Backend>(mmu: &mut LazyMmu<'_, L, B>, slots: &[AtomicU64]) {
    let mut nested = mmu.nest();
    fill(&mut nested, slots);
    nested.leave();
}

fn main() {
    let slots = [const { AtomicU64::new(0) }; 16];
    // SAFETY: this thread has only this handle.
    let mut task = unsafe { Task::<Sim>::current() };
    let mut outer = task.enter();
    fill(&mut outer, &slots);
    fill_and_use(&mut outer.nest(), &slots);
    outer.leave();
    lazy_mmu::with::<Sim, _>(|mmu| fill_and_use(mmu, &slots));
    assert_eq!(pairs(&take_trace()), 2);
}
