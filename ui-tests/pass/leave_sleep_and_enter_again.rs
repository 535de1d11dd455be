// A long walk must be able to leave its section, sleep and enter again. Barriers must not wait.
// Leaving ends the borrow of the task handle, which a function that may sleep takes.
#![deny(warnings)]

use lazy_mmu::Task;
use lazy_mmu::sim::{Sim, pairs, take_trace};

fn may_sleep(_: &mut Task<Sim>) {
    assert!(!lazy_mmu::is_active::<Sim>());
}

fn main() {
    // SAFETY: this thread has only this handle.
    let mut task = unsafe { Task::<Sim>::current() };
    for _ in 0..3 {
        let mut section = task.enter();
        section.note_store();
        section.leave();
        may_sleep(&mut task);
    }
    assert_eq!(pairs(&take_trace()), 3);
}
