// The check would leave the section while its guard still exists.
// The section borrows the handle, and the check needs the handle (E0499).

use lazy_mmu::Task;

fn check(task: &mut Task) {
    let section = task.enter();
    let _ = task.check_idle();
    section.leave();
}

fn main() {}
