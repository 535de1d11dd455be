// The section would end in the same statement, and each later store would execute its own pair.
// The guard is `must_use`. The message warns of `let _`, which rustc suggests.
#![deny(unused_must_use)]

use core::sync::atomic::AtomicU64;

use lazy_mmu::Task;
use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::sim::Sim;

fn store(task: &mut Task<Sim>, slot: &AtomicU64) {
    task.enter();
    lazy_mmu::write::<Sim, _>(slot, Leaf::INVALID);
}

fn main() {}
