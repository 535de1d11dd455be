// A token that is leaked, or passed out of order, can lose a barrier or leave the mode on.
// The functions that return and take a token are unsafe (E0133).

use lazy_mmu::raw;
use lazy_mmu::sim::Sim;

fn main() {
    let state = raw::enter::<Sim>();
    raw::leave::<Sim>(state);
}
