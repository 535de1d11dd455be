// A reader would expect that the store is deferred, but it would be immediate.
// The pause borrows the section (E0500, E0501).

use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::Leaf;

#[lazy_mmu::lazy_mmu(mmu)]
fn store(slot: &AtomicU64) {
    mmu.paused(|| mmu.write(slot, Leaf::INVALID));
}

fn main() {}
