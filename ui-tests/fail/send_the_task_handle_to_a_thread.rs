// A section entered there would be in the bits of this thread.
// The handle of a task is not `Send` (E0277).

use lazy_mmu::Task;
use lazy_mmu::sim::Sim;

/// As `thread::scope` and `spawn` do.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn send(task: &mut Task<Sim>) {
    on_another_thread(|| drop(task.enter()));
}

fn main() {}
