// The other thread would resume a mode that is not its own.
// Pauses are not `Send` (E0277).

use std::thread;

use lazy_mmu::sim::Sim;

/// As `thread::scope` and `spawn` do.
fn on_another_thread(f: impl FnOnce() + Send) {
    thread::scope(|scope| {
        scope.spawn(f);
    });
}

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let pause = mmu.pause();
        on_another_thread(move || drop(pause));
    });
}
