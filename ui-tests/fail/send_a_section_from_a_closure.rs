// The other thread would defer its stores into this thread's section, whose pair says nothing of its CPU.
// Guards are not `Send`, so a mutable reference to one is not either (E0277).

use std::thread;

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        thread::scope(|scope| {
            scope.spawn(|| mmu.note_store());
        });
    });
}
