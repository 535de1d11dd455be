// Two sections that do not know each other could be left in any order, and the first leave would end the other's mode.
// A section borrows the handle of its task mutably (E0499).

use lazy_mmu::Task;
use lazy_mmu::sim::Sim;

fn two_sections(task: &mut Task<Sim>) {
    let one = task.enter();
    let two = task.enter();
    one.leave();
    two.leave();
}

fn main() {}
