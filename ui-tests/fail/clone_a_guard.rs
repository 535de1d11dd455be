// Each of the two guards would leave the section.
// A guard is not `Clone` (E0599).

use lazy_mmu::Task;

fn clone(task: &mut Task) {
    let section = task.enter();
    let _second = section.clone();
}

fn main() {}
