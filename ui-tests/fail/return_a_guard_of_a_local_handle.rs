// A handle that is dropped leaves in the place of a forgotten guard. A guard that outlives the
// handle would leave a second time. The guard borrows the handle (E0515).

use lazy_mmu::sim::Sim;
use lazy_mmu::{LazyMmu, Outer, Task};

fn open() -> LazyMmu<'static, Outer, Sim> {
    // SAFETY: not needed, because the program does not compile.
    let mut task = unsafe { Task::<Sim>::current() };
    task.enter()
}

fn main() {}
