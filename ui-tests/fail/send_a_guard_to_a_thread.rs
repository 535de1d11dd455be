// The other thread would clear bits that are not its own, and execute the pair on the wrong CPU.
// Guards are not `Send` (E0277).

use lazy_mmu::Task;
use lazy_mmu::sim::Sim;

/// As `thread::scope` and `spawn` do.
fn on_another_thread(_: impl FnOnce() + Send) {}

fn send(task: &mut Task<Sim>) {
    let section = task.enter();
    on_another_thread(move || drop(section.leave()));
}

fn main() {}
