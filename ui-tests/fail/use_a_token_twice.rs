// The second leave would end the mode of a section further up.
// The token is not `Copy`: leave consumes it (E0382).

use lazy_mmu::raw;
use lazy_mmu::sim::Sim;

fn main() {
    // SAFETY: what follows is refused.
    unsafe {
        let state = raw::enter::<Sim>();
        raw::leave::<Sim>(state);
        raw::leave::<Sim>(state);
    }
}
