// The second leave would end the mode of a section further up.
// Leaving consumes the guard (E0382).

use lazy_mmu::Task;

fn leave_twice(task: &mut Task) {
    let section = task.enter();
    section.leave();
    section.leave();
}

fn main() {}
