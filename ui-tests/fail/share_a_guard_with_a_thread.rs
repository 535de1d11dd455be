// The other thread could read bits while this thread changes them, but a section is for one thread.
// A guard is not `Sync` (E0277).

use lazy_mmu::Task;
use lazy_mmu::sim::Sim;

/// Needs `Send`, as `thread::spawn` does.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn share(task: &mut Task<Sim>) {
    let section = task.enter();
    on_another_thread(|| println!("{section:?}"));
}

fn main() {}
