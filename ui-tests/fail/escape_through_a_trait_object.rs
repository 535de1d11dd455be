// The section would be used after its leave, and the pairs of later stores could be lost.
// A boxed trait object without a lifetime is `'static`, but a guard that borrows is not.

use std::fmt::Debug;

use lazy_mmu::Task;

fn erase(task: &mut Task) -> Box<dyn Debug> {
    Box::new(task.enter())
}

fn main() {}
