// A section that showed on another thread would defer that thread's stores to nobody's leave.
// The bits are the thread's own.
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
