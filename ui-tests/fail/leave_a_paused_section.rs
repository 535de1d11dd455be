// The pause would outlive its section, and its end would activate the mode outside any section.
// The pause borrows the section, and a borrowed section cannot be moved (E0505).

use lazy_mmu::Task;

fn leave(task: &mut Task) {
    let mut section = task.enter();
    section.paused(|| drop(section.leave()));
}

fn main() {}
