// The section would never be left: its pair lost, the mode on for ever.
// `mmu` is a reference to the guard, which cannot be moved out (E0507).

use lazy_mmu::lazy_mmu;

#[lazy_mmu(mmu)]
fn forget() {
    core::mem::forget(*mmu);
}

fn main() {}
