// A function that sleeps inside a section would delay the section's barriers until it wakes up.
// The function takes the task's handle, which the open section borrows (E0499).

use lazy_mmu::Task;

fn may_sleep(_: &mut Task) {}

fn sleep_inside(task: &mut Task) {
    let section = task.enter();
    may_sleep(task);
    section.leave();
}

fn main() {}
