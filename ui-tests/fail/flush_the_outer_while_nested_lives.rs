// The proof would belong to the outer section, and be used inside the nested one.
// The nested guard borrows the outer guard (E0499).

use lazy_mmu::Task;

fn flush(task: &mut Task) {
    let mut outer = task.enter();
    let nested = outer.nest();
    outer.flush();
    nested.leave();
}

fn main() {}
