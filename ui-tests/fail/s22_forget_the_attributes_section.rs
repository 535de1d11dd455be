// The section would not be left: the pair would be lost, and the mode would stay on.
// `mmu` is a reference to the guard, and code cannot move the guard out of it (E0507).

use lazy_mmu::lazy_mmu;

#[lazy_mmu(mmu)]
fn forget() {
    core::mem::forget(*mmu);
}

fn main() {}
