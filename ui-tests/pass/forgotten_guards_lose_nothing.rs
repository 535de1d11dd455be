// That an owned guard can be forgotten is a pity; that a pair were lost with it, or the mode stayed on, would be a bug.
// The enclosing leave emits for a nested one, the task's handle leaves in the place of an outermost one.
#![deny(warnings)]

use core::mem::{ManuallyDrop, forget};
use std::rc::Rc;

use lazy_mmu::sim::{Sim, bits, pairs, take_trace};
use lazy_mmu::{Bits, Task};

fn main() {
    // SAFETY: this thread's only handle.
    let mut task = unsafe { Task::<Sim>::current() };

    let mut outer = task.enter();
    let mut nested = outer.nest();
    nested.note_store();
    forget(nested);
    outer.leave();
    assert_eq!(pairs(&take_trace()), 1);

    let mut outer = ManuallyDrop::new(task.enter());
    outer.note_store();
    assert!(bits::<Sim>().contains(Bits::ACTIVE.union(Bits::PENDING)));
    task.enter().leave();
    assert_eq!(pairs(&take_trace()), 1);

    let section = Rc::new(task.enter());
    forget(Rc::clone(&section));
    drop(section);
    drop(task);
    assert_eq!(bits::<Sim>(), Bits::EMPTY);
}
