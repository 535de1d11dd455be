// The mode would end while the nested section still defers: its pair would have nobody to emit it.
// The nested guard borrows the outer one, so that cannot be moved (E0505).

use lazy_mmu::Task;

fn leave_outer_first(task: &mut Task) {
    let mut outer = task.enter();
    let nested = outer.nest();
    outer.leave();
    nested.leave();
}

fn main() {}
