// A guard of a pause could be forgotten, moved, or outlive its section.
// A pause is a closure: there is no such method and no such type (E0599, E0432).

use lazy_mmu::Paused;
use lazy_mmu::sim::Sim;

fn main() {
    let mut kept: Option<Paused> = None;
    lazy_mmu::with::<Sim, _>(|mmu| kept = Some(mmu.pause()));
}
