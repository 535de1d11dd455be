// The nested section would defer nothing, though its type says that it does.
// The pause borrows the section (E0500).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        mmu.paused(|| drop(mmu.nest().leave()));
    });
}
