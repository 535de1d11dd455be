// The second leave would end the mode inside the section of a caller.
// A token is not `Copy`: leave consumes it (E0382).

use lazy_mmu::raw;
use lazy_mmu::sim::Sim;

fn main() {
    // SAFETY: not needed, because the program does not compile.
    unsafe {
        let state = raw::enter::<Sim>();
        raw::leave::<Sim>(state);
        raw::leave::<Sim>(state);
    }
}
