// A handle that is dropped leaves in the place of a forgotten guard; a guard that outlives it would
// leave a second time. The guard borrows the handle (E0515).

use lazy_mmu::sim::Sim;
use lazy_mmu::{LazyMmu, Outer, Task};

fn open() -> LazyMmu<'static, Outer, Sim> {
    // SAFETY: what follows is refused.
    let mut task = unsafe { Task::<Sim>::current() };
    task.enter()
}

fn main() {}
