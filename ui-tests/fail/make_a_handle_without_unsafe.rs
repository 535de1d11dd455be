// Two handles of one thread would give two outermost sections, which could be left in any order.
// Making a handle is unsafe: the caller promises that the thread has only this one (E0133).

use lazy_mmu::Task;
use lazy_mmu::sim::Sim;

fn main() {
    let mut one = Task::<Sim>::current();
    let mut two = Task::<Sim>::current();
    let (first, second) = (one.enter(), two.enter());
    drop(first);
    drop(second);
}
