// The section would be used after it was left: its stores would be deferred for ever.
// A boxed trait object without a lifetime is `'static`; a guard that borrows is not (E0597 and its like).

use std::fmt::Debug;

use lazy_mmu::Task;

fn erase(task: &mut Task) -> Box<dyn Debug> {
    Box::new(task.enter())
}

fn main() {}
