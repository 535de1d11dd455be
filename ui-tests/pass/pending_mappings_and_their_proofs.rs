// If the proofs were too strict, callers would hand out raw addresses instead.
// Several flushes a section, several redemptions a flush, and proofs by leave compile.
#![deny(warnings)]

use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::{Sim, is_settled};
use lazy_mmu::{Backend, LazyMmu, Nesting, Pending, Task};

const PAGE: Leaf = Leaf::page(0x4000_0000, KERNEL_DATA);

/// Defers into its caller's section, at any level.
fn map<'id, L: Nesting, B: Backend>(
    mmu: &mut LazyMmu<'id, L, B>,
    slot: &AtomicU64,
) -> Pending<'id, usize, B> {
    mmu.write_pending(slot, PAGE, 7)
}

fn main() {
    let table = [const { AtomicU64::new(0) }; 4];
    // SAFETY: this thread's only handle.
    let mut task = unsafe { Task::<Sim>::current() };
    let mut outer = task.enter();
    let (one, two) = (map(&mut outer, &table[0]), map(&mut outer, &table[1]));
    let proof = outer.flush();
    assert_eq!(one.get(&proof) + two.get(&proof), 14);
    let mut nested = outer.nest();
    let three = map(&mut nested, &table[2]);
    assert!(!is_settled(&table[2]));
    assert_eq!(three.get(&nested.leave()), 7);
    let four = map(&mut outer, &table[3]);
    assert_eq!(four.get(&outer.leave()), 7);
    assert!(table.iter().all(is_settled));
}
