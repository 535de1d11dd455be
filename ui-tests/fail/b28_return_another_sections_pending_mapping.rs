// The function would leave its own section, and redeem what was mapped in another with that proof.
// The brands differ (E0521 and its like).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|outer| {
        let mapping = outer.pending(1);
        lazy_mmu::visible::<Sim, u32>(|_| mapping);
    });
}
