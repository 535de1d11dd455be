// On a host that unwinds, a panic in a callback must restore the bits of the thread.
// Every guard leaves when it is dropped, in the order of the borrows.
#![deny(warnings)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use lazy_mmu::sim::{Sim, bits};
use lazy_mmu::{Bits, lazy_mmu, paused, with};

#[lazy_mmu(backend = Sim, mmu)]
fn attributed(depth: u32) {
    mmu.note_store();
    if depth == 0 {
        resume_unwind(Box::new(()));
    }
    let mut nested = mmu.nest();
    nested.note_store();
    match depth % 3 {
        0 => nested.paused(|| attributed(depth - 1)),
        1 => with::<Sim, _>(|_| attributed(depth - 1)),
        _ => paused::<Sim, _>(|| attributed(depth - 1)),
    }
}

fn main() {
    for depth in 0..20 {
        assert!(catch_unwind(AssertUnwindSafe(|| attributed(depth))).is_err());
        assert_eq!(bits::<Sim>(), Bits::EMPTY, "depth {depth}");
    }
}
