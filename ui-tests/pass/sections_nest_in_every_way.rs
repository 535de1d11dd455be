// Users would avoid the types if one of these forms did not compile.
// Each guard borrows the guard around it mutably, for its own lifetime only.
#![deny(warnings)]

use lazy_mmu::sim::{Sim, pairs, take_trace};
use lazy_mmu::{Task, lazy_mmu};

#[lazy_mmu(backend = Sim, mmu)]
fn by_attribute() {
    mmu.note_store();
    mmu.nest().note_store();
    mmu.note_store();
}

fn main() {
    // SAFETY: this thread has only this handle.
    let mut task = unsafe { Task::<Sim>::current() };
    for _ in 0..2 {
        let mut outer = task.enter();
        outer.note_store();
        {
            let mut inner = outer.nest();
            let innermost = inner.nest();
            drop(innermost);
            inner.leave();
        }
        drop(outer.nest());
        lazy_mmu::with::<Sim, _>(|mmu| {
            mmu.nest().flush();
        });
        by_attribute();
        outer.note_store();
    }
    assert!(!lazy_mmu::is_active::<Sim>());
    assert_eq!(pairs(&take_trace()), 2 * 4);
}
