// The pause would outlive its section, and on its end reactivate a mode that nobody is in.
// The pause borrows the section, so the section cannot be moved (E0505).

use lazy_mmu::Task;

fn leave(task: &mut Task) {
    let mut section = task.enter();
    section.paused(|| drop(section.leave()));
}

fn main() {}
