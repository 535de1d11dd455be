// The store would look deferred to its reader, and be immediate; or the pause would end without a word.
// The pause borrows the section (E0500).

use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::Leaf;

#[lazy_mmu::lazy_mmu(mmu)]
fn store(slot: &AtomicU64) {
    mmu.paused(|| mmu.write(slot, Leaf::INVALID));
}

fn main() {}
