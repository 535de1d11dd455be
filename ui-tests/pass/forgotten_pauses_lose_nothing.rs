// That a pause can be forgotten is a pity; that the mode stayed paused for ever would be a bug.
// The section that was paused ends it, or the section around, or the handle.
#![deny(warnings)]

use core::mem::forget;

use lazy_mmu::sim::{Sim, bits};
use lazy_mmu::{Bits, Task, is_active, with};

fn main() {
    with::<Sim, _>(|outer| {
        with::<Sim, _>(|inner| forget(inner.pause()));
        assert!(is_active::<Sim>());
        let mut nested = outer.nest();
        forget(nested.pause());
        forget(nested);
        assert!(!is_active::<Sim>());
    });
    // SAFETY: this thread's only handle.
    let mut task = unsafe { Task::<Sim>::current() };
    let mut section = task.enter();
    let mut nested = section.nest();
    forget(nested.pause());
    forget(nested);
    forget(section);
    assert!(task.check_idle().is_ok());
    assert_eq!(bits::<Sim>(), Bits::EMPTY);
}
