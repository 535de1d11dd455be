// The second resume would end an enclosing pause.
// The first resume consumes the state (E0382).

use lazy_mmu::raw;
use lazy_mmu::sim::Sim;

fn main() {
    // SAFETY: the next statement resumes.
    let state = unsafe { raw::pause::<Sim>() };
    // SAFETY: this resume matches the pause.
    unsafe { raw::resume::<Sim>(state) };
    // SAFETY: not needed, because the program does not compile.
    unsafe { raw::resume::<Sim>(state) };
}
