// A collection drops its elements in its own order: an outer section could be left before an inner one.
// The closure would hand out a borrow of what it has captured, again and again.

use lazy_mmu::Task;

fn collect(task: &mut Task) {
    let guards: Vec<_> = (0..2).map(|_| task.enter()).collect();
    drop(guards);
}

fn main() {}
