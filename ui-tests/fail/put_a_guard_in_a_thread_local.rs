// The section would be left when the thread ends, long after its function has returned.
// A thread-local lives longer than any handle that a guard could borrow (E0521 and its like).

use std::cell::RefCell;

use lazy_mmu::{LazyMmu, Outer, Task};

thread_local! {
    static KEPT: RefCell<Option<LazyMmu<'static, Outer>>> = const { RefCell::new(None) };
}

fn keep(task: &mut Task) {
    KEPT.with(|kept| *kept.borrow_mut() = Some(task.enter()));
}

fn main() {}
