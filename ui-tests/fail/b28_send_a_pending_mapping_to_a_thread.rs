// The other thread could redeem it against a proof of its own, which says nothing of this one's stores.
// Pending mappings are not `Send` (E0277).

use lazy_mmu::sim::Sim;

/// As `thread::scope` and `spawn` do.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let mapping = mmu.pending(1);
        on_another_thread(move || drop(mapping));
    });
}
