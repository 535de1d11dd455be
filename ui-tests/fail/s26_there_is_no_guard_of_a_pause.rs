// A guard of a pause could be forgotten or moved, and could outlive its section.
// A pause is a closure: there is neither such a method nor such a type (E0599, E0432).

use lazy_mmu::Paused;
use lazy_mmu::sim::Sim;

fn main() {
    let mut kept: Option<Paused> = None;
    lazy_mmu::with::<Sim, _>(|mmu| kept = Some(mmu.pause()));
}
