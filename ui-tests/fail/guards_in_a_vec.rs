// A collection drops its elements in its own order: an outer section could be left before an inner one.
// The second section needs the handle that the first one borrows (E0499).

use lazy_mmu::Task;

fn collect(task: &mut Task) {
    let mut guards = Vec::new();
    for _ in 0..2 {
        guards.push(task.enter());
    }
}

fn main() {}
