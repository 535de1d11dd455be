// The section would never be left: its pair lost, the mode on for ever.
// `mmu` is a reference to the guard, which cannot be moved out (E0507).

use lazy_mmu::lazy_mmu;
use lazy_mmu::sim::Sim;

#[lazy_mmu(backend = Sim, mmu)]
fn forget() {
    core::mem::forget(*mmu);
}

fn main() {}
