// The nested section's stores would be immediate, though its owner has not paused it.
// The nested guard borrows the outer guard (E0499).

use lazy_mmu::Task;

fn pause(task: &mut Task) {
    let mut outer = task.enter();
    let nested = outer.nest();
    outer.paused(|| ());
    nested.leave();
}

fn main() {}
