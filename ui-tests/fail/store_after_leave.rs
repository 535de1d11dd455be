// The store would be deferred, but its section could no longer emit the pair.
// Leaving consumes the guard (E0382).

use core::sync::atomic::AtomicU64;

use lazy_mmu::Task;
use lazy_mmu::aarch64::descriptor::Leaf;

fn store_after_leave(task: &mut Task, slot: &AtomicU64) {
    let mut section = task.enter();
    section.leave();
    section.write(slot, Leaf::INVALID);
}

fn main() {}
