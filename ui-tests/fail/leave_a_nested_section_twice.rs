// The second leave would flush in somebody else's place; at the level of the crate's promises it does not exist.
// Leaving consumes the guard, at each level (E0382).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let nested = mmu.nest();
        nested.leave();
        nested.leave();
    });
}
