// The proof would belong to a section that is not the innermost, and be redeemed in the wrong one.
// The nested guard borrows the outer one (E0499).

use lazy_mmu::Task;

fn flush(task: &mut Task) {
    let mut outer = task.enter();
    let nested = outer.nest();
    outer.flush();
    nested.leave();
}

fn main() {}
