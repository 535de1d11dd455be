// The section would be closed in the same statement, and every store behind it would be alone with its pair.
// The guard is `must_use`, and the text warns of the hint that rustc gives.
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
