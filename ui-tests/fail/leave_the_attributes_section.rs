// The section would end before the function does, and what is stored behind would be alone.
// `mmu` is a reference to the guard, which cannot be moved out (E0507).

use lazy_mmu::lazy_mmu;

#[lazy_mmu(mmu)]
fn leave() {
    mmu.leave();
}

fn main() {}
