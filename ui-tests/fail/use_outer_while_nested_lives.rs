// The code would read as if the nested section had ended, but its store would still belong to it.
// The nested guard's drop uses the borrow of the outer guard at the end of its scope (E0499).

use core::sync::atomic::AtomicU64;

use lazy_mmu::Task;
use lazy_mmu::aarch64::descriptor::Leaf;

fn use_outer_though_nested_is_not_used_again(task: &mut Task, slot: &AtomicU64) {
    let mut outer = task.enter();
    let _nested = outer.nest();
    outer.write(slot, Leaf::INVALID);
}

fn main() {}
