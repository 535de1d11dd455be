// The section would not be left: the pair would be lost, and the mode would stay on.
// The closure borrows the guard, and cannot move it (E0507).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| core::mem::forget(*mmu));
}
