// Stores without a barrier are right only where no walker reaches the tables.
// `unreached` is unsafe: the caller promises that (E0133). Its machine has no other name.

use core::sync::atomic::AtomicU64;
use lazy_mmu::aarch64::descriptor::Leaf;

fn main() {
    let slot = AtomicU64::new(0);
    lazy_mmu::unreached(|mmu| mmu.write(&slot, Leaf::INVALID));
}
