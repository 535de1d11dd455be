// A leaf in the place of the table would map the memory at its own address.
// Each kind of descriptor is a type (E0308).

use std::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::Sim;

fn main() {
    let slot = AtomicU64::new(0);
    // SAFETY: not needed, because the program does not compile.
    lazy_mmu::with::<Sim, _>(|mmu| unsafe {
        mmu.split_block(&slot, &[], Leaf::page(0x4000_0000, KERNEL_DATA), |_, _| Leaf::INVALID);
    });
}
