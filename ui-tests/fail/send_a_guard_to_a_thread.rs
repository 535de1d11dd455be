// The other thread would clear bits that are not its own, and execute the pair on the wrong CPU.
// Guards are not `Send` (E0277).

use std::thread;

use lazy_mmu::Task;
use lazy_mmu::sim::Sim;

fn send(task: &mut Task<Sim>) {
    let section = task.enter();
    thread::scope(|scope| {
        scope.spawn(move || section.leave());
    });
}

fn main() {}
