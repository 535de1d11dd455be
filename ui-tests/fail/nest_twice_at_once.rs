// Two nested sections of one outer section could be left in any order.
// Each borrows the outer guard mutably (E0499).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let one = mmu.nest();
    let two = mmu.nest();
    drop(one);
    drop(two);
}
