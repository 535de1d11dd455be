// The outer closure would hold the token that does not end the mode, the inner one that does, too early.
// Each closure's section has a brand of its own, and brands are invariant (E0521).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|outer| {
        lazy_mmu::with::<Sim, _>(|inner| core::mem::swap(outer, inner));
    });
}
