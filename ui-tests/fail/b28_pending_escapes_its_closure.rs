// The mapping could be redeemed against the proof of some later section, though its own was never flushed.
// The closure must work for any brand, so nothing that carries it gets out (E0521 and its like).

use lazy_mmu::sim::Sim;

fn main() {
    let mapping = lazy_mmu::with::<Sim, _>(|mmu| mmu.pending(1));
    drop(mapping);
}
