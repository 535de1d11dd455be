// The section would never be left: its pair lost, the mode on for ever.
// The closure only borrows the guard, and cannot move it out (E0507).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| core::mem::forget(*mmu));
}
