// A section that the other thread enters would use the bits of this thread.
// A task handle is not `Send` (E0277).

use lazy_mmu::Task;
use lazy_mmu::sim::Sim;

/// Needs `Send`, as `thread::spawn` does.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn send(task: &mut Task<Sim>) {
    on_another_thread(|| drop(task.enter()));
}

fn main() {}
