// A destructor that changes mappings can run wherever a value of its type goes out of scope.
// Its section nests as any other does, also while a panic unwinds.
#![deny(warnings)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use lazy_mmu::sim::{Sim, bits, pairs, take_trace};
use lazy_mmu::{Bits, Task, lazy_mmu};

struct UnmapsWhenDropped;

impl Drop for UnmapsWhenDropped {
    #[lazy_mmu(backend = Sim, mmu)]
    fn drop(&mut self) {
        mmu.note_store();
    }
}

fn main() {
    // SAFETY: this thread has only this handle.
    let mut task = unsafe { Task::<Sim>::current() };
    let mut section = task.enter();
    section.note_store();
    drop(UnmapsWhenDropped);
    section.note_store();
    let mut nested = section.nest();
    nested.note_store();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _nested = nested;
        let _value = UnmapsWhenDropped;
        resume_unwind(Box::new(()));
    }));
    assert!(result.is_err());
    assert!(lazy_mmu::is_active::<Sim>());
    section.leave();
    assert_eq!(pairs(&take_trace()), 2);
    assert_eq!(bits::<Sim>(), Bits::EMPTY);
}
