// The closure's own guard, which ends the mode, would be dropped too early. The nested guard in its
// place would not end the mode. The nested guard borrows the place of the assignment (E0506).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let nested = mmu.nest();
        *mmu = nested;
    });
}
