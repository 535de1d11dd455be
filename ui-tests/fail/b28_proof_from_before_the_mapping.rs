// The proof would be older than the mapping that it redeems, whose pair is still pending.
// A proof holds the mutable borrow of its section, so making a mapping ends it (E0499).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let proof = mmu.flush();
        let mapping = mmu.pending(1);
        mapping.get(&proof);
    });
}
