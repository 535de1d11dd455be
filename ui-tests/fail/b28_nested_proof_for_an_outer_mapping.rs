// A proof that outlives the nested section could unlock a later mapping of the outer section. The
// identity of the nested section is its borrow of the outer guard, which ends earlier (E0597).

use lazy_mmu::Task;

fn redeem(task: &mut Task) -> u32 {
    let mut outer = task.enter();
    let mapping = outer.pending(1);
    let mut nested = outer.nest();
    mapping.get(&nested.flush())
}

fn main() {}
