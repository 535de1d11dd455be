// A section that affects another thread would defer stores without a leave that emits their pair.
// Each thread has its own bits.
#![deny(warnings)]

use std::thread;

use lazy_mmu::sim::{Sim, pairs, take_trace};
use lazy_mmu::{is_active, with};

fn main() {
    with::<Sim, _>(|mmu| {
        mmu.note_store();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    assert!(!is_active::<Sim>());
                    with::<Sim, _>(|mmu| mmu.note_store());
                    assert_eq!(pairs(&take_trace()), 1);
                });
            }
        });
        assert_eq!(pairs(&take_trace()), 0);
    });
}
