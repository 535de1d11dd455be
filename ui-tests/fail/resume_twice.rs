// The second resume would end a pause that is further out.
// The first one consumes the state (E0382).

use lazy_mmu::raw;
use lazy_mmu::sim::Sim;

fn main() {
    // SAFETY: resumed below.
    let state = unsafe { raw::pause::<Sim>() };
    // SAFETY: the matching resume.
    unsafe { raw::resume::<Sim>(state) };
    // SAFETY: none.
    unsafe { raw::resume::<Sim>(state) };
}
