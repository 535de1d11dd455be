// The inner closure would end the mode too early, and the outer leave would not end it.
// Each closure's section has its own identity, and identities are invariant (E0521).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|outer| {
        lazy_mmu::with::<Sim, _>(|inner| core::mem::swap(outer, inner));
    });
}
