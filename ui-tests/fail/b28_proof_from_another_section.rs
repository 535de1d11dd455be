// The other section may be inert, or may have flushed before the mapping was made.
// Each closure's section has its own identity, and identities are invariant (E0521).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|outer| {
        let mapping = outer.pending(1);
        lazy_mmu::with::<Sim, _>(|inner| {
            mapping.get(&inner.flush());
        });
    });
}
