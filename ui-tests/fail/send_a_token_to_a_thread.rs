// The other thread would leave a section that it has not entered.
// The token is not `Send` (E0277).

use lazy_mmu::raw;
use lazy_mmu::sim::Sim;

/// As `thread::scope` and `spawn` do.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn main() {
    // SAFETY: what follows is refused.
    let state = unsafe { raw::enter::<Sim>() };
    on_another_thread(move || {
        // SAFETY: as above.
        unsafe { raw::leave::<Sim>(state) }
    });
}
