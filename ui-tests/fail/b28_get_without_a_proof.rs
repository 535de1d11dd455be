// The mapping would be used before its barrier pair: the walk may still find the old entry.
// `get` wants the proof (E0061).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let mapping = mmu.pending(1);
        mapping.get();
    });
}
