// A proof that outlived the nested section could redeem a mapping that the outer one makes afterwards.
// The nested section's brand is its borrow of the outer one, which is shorter than the outer brand (E0597).

use lazy_mmu::Task;

fn redeem(task: &mut Task) -> u32 {
    let mut outer = task.enter();
    let mapping = outer.pending(1);
    let mut nested = outer.nest();
    mapping.get(&nested.flush())
}

fn main() {}
