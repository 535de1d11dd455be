// A later section's proof could unlock a mapping whose own pair is still pending.
// The closure accepts any section identity, so a value with this identity cannot leave the closure.

use lazy_mmu::sim::Sim;

fn main() {
    let mapping = lazy_mmu::with::<Sim, _>(|mmu| mmu.pending(1));
    drop(mapping);
}
