// Two owners of what was to have one: a mapping's unique handle, say.
// Pending mappings are not `Clone` (E0599).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let mapping = mmu.pending(1);
        let _second = mapping.clone();
    });
}
