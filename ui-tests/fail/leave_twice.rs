// The second leave would end the mode of a section further up.
// Leaving consumes the guard (E0382).

use lazy_mmu::Task;
use lazy_mmu::sim::Sim;

fn leave_twice(task: &mut Task<Sim>) {
    let section = task.enter();
    section.leave();
    section.leave();
}

fn main() {}
