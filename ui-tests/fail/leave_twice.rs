// The second leave would end the mode inside the section of a caller.
// Leaving consumes the guard (E0382).

use lazy_mmu::Task;

fn leave_twice(task: &mut Task) {
    let section = task.enter();
    section.leave();
    section.leave();
}

fn main() {}
