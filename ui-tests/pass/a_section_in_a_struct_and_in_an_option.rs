// A cursor over page tables must be able to hold its section.
// A guard is an ordinary value with a lifetime: taking it from the option, or a drop, leaves.
#![deny(warnings)]

use lazy_mmu::sim::{Sim, pairs, take_trace};
use lazy_mmu::{LazyMmu, Outer, Task};

struct Cursor<'a> {
    section: Option<LazyMmu<'a, Outer, Sim>>,
}

impl Cursor<'_> {
    fn store(&mut self) {
        if let Some(section) = &mut self.section {
            section.note_store();
        }
    }

    fn finish(&mut self) {
        if let Some(section) = self.section.take() {
            section.leave();
        }
    }
}

fn main() {
    // SAFETY: this thread has only this handle.
    let mut task = unsafe { Task::<Sim>::current() };
    let mut cursor = Cursor {
        section: Some(task.enter()),
    };
    cursor.store();
    cursor.store();
    cursor.finish();
    assert!(!lazy_mmu::is_active::<Sim>());
    cursor.store();
    drop(cursor);
    drop(task);
    assert_eq!(pairs(&take_trace()), 1);
}
