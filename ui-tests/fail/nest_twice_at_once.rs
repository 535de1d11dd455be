// Two nested sections side by side could be left in any order.
// Each borrows the outer one mutably (E0499).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let one = mmu.nest();
        let two = mmu.nest();
        drop(one);
        drop(two);
    });
}
