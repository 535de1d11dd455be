// The other thread would leave a section that it has not entered.
// A token is not `Send` (E0277).

use lazy_mmu::raw;
use lazy_mmu::sim::Sim;

/// Needs `Send`, as `thread::spawn` does.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn main() {
    // SAFETY: not needed, because the program does not compile.
    let state = unsafe { raw::enter::<Sim>() };
    on_another_thread(move || {
        // SAFETY: not needed either.
        unsafe { raw::leave::<Sim>(state) }
    });
}
