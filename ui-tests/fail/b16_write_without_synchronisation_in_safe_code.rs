// The caller must synchronise a store without a barrier. Not every CPU tolerates the split of a
// block. Both functions are `unsafe` (E0133).

use std::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{Leaf, Table};
use lazy_mmu::sim::Sim;

fn main() {
    let slot = AtomicU64::new(0);
    lazy_mmu::write_nosync::<Sim, _>(&slot, Leaf::INVALID);
    lazy_mmu::with::<Sim, _>(|mmu| {
        mmu.split_block(&slot, &[], Table::INVALID, |_, _| Leaf::INVALID);
    });
}
