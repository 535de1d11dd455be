// A store that no section knows of, and that has no barrier, is the caller's to synchronise.
// It is `unsafe`, as is the split of a block, which not every CPU survives.

use std::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{Leaf, Table};
use lazy_mmu::sim::Sim;

fn main() {
    let slot = AtomicU64::new(0);
    lazy_mmu::write_nosync::<Sim, _>(&slot, Leaf::INVALID);
    lazy_mmu::with::<Sim, _>(|mmu| mmu.split_block(&slot, &[], Table::INVALID, |_, _| Leaf::INVALID));
}
