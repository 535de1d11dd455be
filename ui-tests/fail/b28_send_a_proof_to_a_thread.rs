// The other thread's CPU has executed no `isb`: an access there may still take the old translation's fault.
// Proofs are not `Send` (E0277).

use lazy_mmu::sim::Sim;

/// As `thread::scope` and `spawn` do.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let proof = mmu.flush();
        on_another_thread(move || drop(proof));
    });
}
