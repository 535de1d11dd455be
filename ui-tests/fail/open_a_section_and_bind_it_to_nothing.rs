// The section would end in the same statement, and each later store would execute its own pair.
// `must_use` accepts `let _`. A lint of rustc refuses it, but the lint is off by default.
#![deny(let_underscore_drop)]

use core::sync::atomic::AtomicU64;

use lazy_mmu::Task;
use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::sim::Sim;

fn store(task: &mut Task<Sim>, slot: &AtomicU64) {
    let _ = task.enter();
    lazy_mmu::write::<Sim, _>(slot, Leaf::INVALID);
}

fn main() {}
