// The check would heal the section, that is, leave it, while its guard lives.
// The section borrows the handle (E0499).

use lazy_mmu::Task;

fn check(task: &mut Task) {
    let section = task.enter();
    let _ = task.check_idle();
    section.leave();
}

fn main() {}
