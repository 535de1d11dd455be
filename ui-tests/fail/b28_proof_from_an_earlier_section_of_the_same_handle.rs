// The first section's pair does not cover what is stored in the second.
// The proof keeps the handle borrowed, so there is no second section while it lives (E0499).

use lazy_mmu::Task;

fn redeem(task: &mut Task) -> u32 {
    let proof = task.enter().leave();
    let mut second = task.enter();
    second.pending(1).get(&proof)
}

fn main() {}
