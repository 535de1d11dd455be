// An invalidation does not cover a mapping that is made after it.
// The proof borrows its section, as the proof of a flush does (E0499).

use std::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let slot = AtomicU64::new(0);
    let proof = mmu.flush_tlb_all();
    let pending = mmu.write_pending(&slot, Leaf::page(0x4000_0000, KERNEL_DATA), 7);
    pending.get(&proof);
}
