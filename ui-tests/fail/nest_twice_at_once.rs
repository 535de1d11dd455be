// Two nested sections side by side could be left in any order.
// Each borrows the outer one mutably (E0499).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let one = mmu.nest();
    let two = mmu.nest();
    drop(one);
    drop(two);
}
