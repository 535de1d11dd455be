// The store could not be told from one that needs no pair: the rule depends on the kind of the entry.
// What is written is a `Descriptor`, and the error names the kinds (E0277).

use core::sync::atomic::AtomicU64;

use lazy_mmu::sim::Sim;

fn store(slot: &AtomicU64) {
    lazy_mmu::with::<Sim, _>(|mmu| mmu.write(slot, 0x4000_0703_u64));
}

fn main() {}
