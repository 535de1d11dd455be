// The section would be left at the end of the thread, long after its function has returned.
// A thread-local lives longer than each handle that a guard can borrow (E0521).

use std::cell::RefCell;

use lazy_mmu::{LazyMmu, Outer, Task};

thread_local! {
    static KEPT: RefCell<Option<LazyMmu<'static, Outer>>> = const { RefCell::new(None) };
}

fn keep(task: &mut Task) {
    KEPT.with(|kept| *kept.borrow_mut() = Some(task.enter()));
}

fn main() {}
