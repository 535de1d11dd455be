// A leaf in the place of the table would map whatever its address bits say.
// The kinds of descriptors are types.

use std::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::Sim;

fn main() {
    let slot = AtomicU64::new(0);
    // SAFETY: nothing walks it.
    lazy_mmu::with::<Sim, _>(|mmu| unsafe {
        mmu.split_block(&slot, &[], Leaf::page(0x4000_0000, KERNEL_DATA), |_, _| Leaf::INVALID);
    });
}
