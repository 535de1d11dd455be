// The proof could redeem mappings of a later section.
// The closure must work for any brand, so nothing that carries it gets out.

use lazy_mmu::sim::Sim;

fn main() {
    let proof = lazy_mmu::with::<Sim, _>(|mmu| mmu.flush());
    drop(proof);
}
