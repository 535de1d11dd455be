// `visible` would leave its own section and unlock another section's mapping with that proof.
// The two sections have different identities.

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|outer| {
        let mapping = outer.pending(1);
        lazy_mmu::visible::<Sim, u32>(|_| mapping);
    });
}
