// The other thread would clear bits of the first thread, and execute the pair on the wrong CPU.
// A guard is not `Send` (E0277).

use lazy_mmu::Task;
use lazy_mmu::sim::Sim;

/// Needs `Send`, as `thread::spawn` does.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn send(task: &mut Task<Sim>) {
    let section = task.enter();
    on_another_thread(move || drop(section.leave()));
}

fn main() {}
