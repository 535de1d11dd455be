// The other thread would defer its stores into this thread's section, whose pair says nothing of its CPU.
// Guards are not `Send`, so a mutable reference to one is not either (E0277).

use lazy_mmu::sim::Sim;

/// As `thread::scope` and `spawn` do.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        on_another_thread(|| mmu.note_store());
    });
}
