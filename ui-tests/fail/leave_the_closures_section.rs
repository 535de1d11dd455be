// The section would end before the closure does, and what is stored behind would be alone.
// The closure only borrows the guard, and cannot move it out (E0507).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        mmu.leave();
    });
}
