// A long walk that could not leave its section, do what may sleep, and enter again would keep barriers waiting.
// Leaving gives the task's handle back; what may sleep asks for that.
#![deny(warnings)]

use lazy_mmu::Task;
use lazy_mmu::sim::{Sim, pairs, take_trace};

fn may_sleep(_: &mut Task<Sim>) {
    assert!(!lazy_mmu::is_active::<Sim>());
}

fn main() {
    // SAFETY: this thread's only handle.
    let mut task = unsafe { Task::<Sim>::current() };
    for _ in 0..3 {
        let mut section = task.enter();
        section.note_store();
        section.leave();
        may_sleep(&mut task);
    }
    assert_eq!(pairs(&take_trace()), 3);
}
