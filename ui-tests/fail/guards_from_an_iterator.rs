// A collection drops its elements in its own order, and could drop an outer section first.
// The closure would return a borrow of its captured handle in each call, which rustc refuses.

use lazy_mmu::Task;

fn collect(task: &mut Task) {
    let guards: Vec<_> = (0..2).map(|_| task.enter()).collect();
    drop(guards);
}

fn main() {}
