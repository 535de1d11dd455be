// The other thread would defer stores into this thread's section, whose pair is for another CPU.
// A guard is not `Send`, and therefore a mutable reference to it is not `Send` either (E0277).

use lazy_mmu::sim::Sim;

/// Needs `Send`, as `thread::spawn` does.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        on_another_thread(|| mmu.note_store());
    });
}
