// The other section may have been left or flushed before the mapping was made, or be inert.
// Each closure's section has a brand of its own, and brands are invariant (E0521).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|outer| {
        let mapping = outer.pending(1);
        lazy_mmu::with::<Sim, _>(|inner| {
            mapping.get(&inner.flush());
        });
    });
}
