// The mode would end while the nested section still defers, and its pair could be lost.
// The nested guard borrows the outer guard, and a borrowed guard cannot be moved (E0505).

use lazy_mmu::Task;

fn drop_outer_first(task: &mut Task) {
    let mut outer = task.enter();
    let nested = outer.nest();
    drop(outer);
    drop(nested);
}

fn main() {}
