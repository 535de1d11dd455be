// A collection drops its elements in its own order, and could drop an outer section first.
// The second section needs the handle, which the first section borrows (E0499).

use lazy_mmu::Task;

fn collect(task: &mut Task) {
    let mut guards = Vec::new();
    for _ in 0..2 {
        guards.push(task.enter());
    }
}

fn main() {}
