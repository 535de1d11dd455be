// The proof would be older than the store, and the next mapping may depend on the store.
// A proof holds the mutable borrow of its section (E0499).

use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::Leaf;

#[lazy_mmu::lazy_mmu(mmu)]
fn store_meanwhile(slot: &AtomicU64) {
    let mapping = mmu.pending(1);
    let proof = mmu.flush();
    mmu.write(slot, Leaf::INVALID);
    mapping.get(&proof);
}

fn main() {}
