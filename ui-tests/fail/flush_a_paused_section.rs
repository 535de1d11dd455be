// Nothing can be pending while the mode is paused: the flush is a mistake.
// The pause borrows the section (E0500).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        mmu.paused(|| {
            mmu.flush();
        });
    });
}
