// The section would end before its function, and each later store would execute its own pair.
// `mmu` is a reference to the guard, and code cannot move the guard out of it (E0507).

use lazy_mmu::lazy_mmu;

#[lazy_mmu(mmu)]
fn leave() {
    mmu.leave();
}

fn main() {}
