// The other thread could look at bits that change under it; no operation of a section is meant for two threads.
// Guards are not `Sync` (E0277).

use lazy_mmu::Task;
use lazy_mmu::sim::Sim;

/// As `thread::scope` and `spawn` do.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn share(task: &mut Task<Sim>) {
    let section = task.enter();
    on_another_thread(|| println!("{section:?}"));
}

fn main() {}
