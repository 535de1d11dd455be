// The closure's own token, which ends the mode, would be dropped early, and the nested one in its place would not.
// The nested guard borrows the very place that it would be put into (E0506 and its like).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let nested = mmu.nest();
        *mmu = nested;
    });
}
