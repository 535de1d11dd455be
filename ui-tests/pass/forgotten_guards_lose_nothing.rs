// Code can forget a guard that it owns, but the pair must not be lost, and the mode must end.
// The enclosing leave emits for a nested guard. The task handle leaves for an outermost one.
#![deny(warnings)]

use core::mem::{ManuallyDrop, forget};
use std::rc::Rc;

use lazy_mmu::sim::{Sim, bits, pairs, take_trace};
use lazy_mmu::{Bits, Task};

fn main() {
    // SAFETY: this thread has only this handle.
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
