// A proof could unlock the mappings of a later section.
// The closure must accept any identity of its section: a value with this identity cannot leave it.

use lazy_mmu::sim::Sim;

fn main() {
    let proof = lazy_mmu::with::<Sim, _>(|mmu| mmu.flush());
    drop(proof);
}
