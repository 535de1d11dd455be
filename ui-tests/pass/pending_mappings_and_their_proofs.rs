// If the rules for proofs were too strict, callers would pass raw addresses instead.
// A section can flush several times, one proof unlocks several mappings, and leave returns a proof.
#![deny(warnings)]

use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::{Sim, is_settled};
use lazy_mmu::{Backend, LazyMmu, Nesting, Pending, Task};

const PAGE: Leaf = Leaf::page(0x4000_0000, KERNEL_DATA);

/// Makes a store that the caller's section defers.
fn map<'id, L: Nesting, B: Backend>(
    mmu: &mut LazyMmu<'id, L, B>,
    slot: &AtomicU64,
) -> Pending<'id, usize, B> {
    mmu.write_pending(slot, PAGE, 7)
}

fn main() {
    let table = [const { AtomicU64::new(0) }; 4];
    // SAFETY: this thread has only this handle.
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
