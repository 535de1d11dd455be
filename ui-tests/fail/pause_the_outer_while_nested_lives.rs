// The nested section's stores would be immediate, though its holder paused nothing.
// The nested guard borrows the outer one (E0499).

use lazy_mmu::Task;

fn pause(task: &mut Task) {
    let mut outer = task.enter();
    let nested = outer.nest();
    outer.paused(|| ());
    nested.leave();
}

fn main() {}
