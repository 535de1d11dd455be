// The section would end before its closure, and each later store would execute its own pair.
// The closure borrows the guard, and cannot move it (E0507).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        mmu.leave();
    });
}
