// The other thread could unlock the mapping with its own proof, which does not cover this thread's
// stores. A pending mapping is not `Send` (E0277).

use lazy_mmu::sim::Sim;

/// Needs `Send`, as `thread::spawn` does.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let mapping = mmu.pending(1);
        on_another_thread(move || drop(mapping));
    });
}
