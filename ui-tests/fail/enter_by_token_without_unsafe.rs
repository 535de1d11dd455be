// A bare token can be leaked, or passed out of order, and then a barrier is lost or the mode stays on.
// The functions that make and take it are unsafe (E0133).

use lazy_mmu::raw;
use lazy_mmu::sim::Sim;

fn main() {
    let state = raw::enter::<Sim>();
    raw::leave::<Sim>(state);
}
