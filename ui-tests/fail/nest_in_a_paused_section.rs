// The nested section would defer nothing, though its type says that it does.
// The pause borrows the section (E0499).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let pause = mmu.pause();
        mmu.nest().leave();
        drop(pause);
    });
}
