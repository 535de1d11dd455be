// The CPU of the other thread has not executed an `isb`, and its next access may still fault.
// A proof is not `Send` (E0277).

use lazy_mmu::sim::Sim;

/// Needs `Send`, as `thread::spawn` does.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let proof = mmu.flush();
        on_another_thread(move || drop(proof));
    });
}
