// A proof could unlock the mappings of a later section.
// The closure accepts any section identity, so a value with this identity cannot leave the closure.

use lazy_mmu::sim::Sim;

fn main() {
    let proof = lazy_mmu::with::<Sim, _>(|mmu| mmu.flush());
    drop(proof);
}
