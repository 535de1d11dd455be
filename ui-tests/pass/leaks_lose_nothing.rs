// Safe Rust can leak a guard, but the pair must not be lost, and the mode must end.
// The task handle leaves in the place of the leaked guard.
#![deny(warnings)]

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use lazy_mmu::sim::{Sim, pairs, take_trace};
use lazy_mmu::{LazyMmu, Outer, Task};

/// Owns a guard, and itself in a cycle of references.
struct Cycle<'a> {
    _section: LazyMmu<'a, Outer, Sim>,
    itself: RefCell<Option<Rc<Cycle<'a>>>>,
}

fn main() {
    // SAFETY: this thread has only this handle.
    let mut task = unsafe { Task::<Sim>::current() };

    let mut section = task.enter();
    section.note_store();
    let cycle = Rc::new(Cycle {
        _section: section,
        itself: RefCell::new(None),
    });
    *cycle.itself.borrow_mut() = Some(Rc::clone(&cycle));
    drop(cycle);
    assert!(lazy_mmu::is_active::<Sim>());
    assert!(task.check_idle().is_ok());
    assert_eq!(pairs(&take_trace()), 1);

    let leaked = Box::leak(Box::new(task.enter()));
    leaked.note_store();
    assert!(task.check_idle().is_ok());
    assert_eq!(pairs(&take_trace()), 1);

    ManuallyDrop::new(task.enter()).note_store();
    assert!(task.check_idle().is_ok());
    assert_eq!(pairs(&take_trace()), 1);

    {
        let mut kept = Some(task.enter());
        kept.as_mut().unwrap().note_store();
        std::mem::forget(kept.take());
    }
    drop(task);
    assert_eq!(pairs(&take_trace()), 1);
    assert!(lazy_mmu::check_idle::<Sim>().is_ok());
}
