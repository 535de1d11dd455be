// A section entered there would be in the bits of this thread.
// The handle of a task is not `Send` (E0277).

use std::thread;

use lazy_mmu::Task;
use lazy_mmu::sim::Sim;

fn send(task: &mut Task<Sim>) {
    thread::scope(|scope| {
        scope.spawn(|| task.enter().leave());
    });
}

fn main() {}
