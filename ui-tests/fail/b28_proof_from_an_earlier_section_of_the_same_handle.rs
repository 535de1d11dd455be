// The pair of the first section does not cover the stores of the second section.
// The proof borrows the handle, and a second section needs the handle (E0499).

use lazy_mmu::Task;

fn redeem(task: &mut Task) -> u32 {
    let proof = task.enter().leave();
    let mut second = task.enter();
    second.pending(1).get(&proof)
}

fn main() {}
