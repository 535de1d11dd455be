// Two independent sections could be left in any order. The first leave would end the other's mode.
// A section borrows the handle of its task mutably (E0499).

use lazy_mmu::Task;

fn two_sections(task: &mut Task) {
    let one = task.enter();
    let two = task.enter();
    one.leave();
    two.leave();
}

fn main() {}
