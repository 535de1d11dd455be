// The rule for the pair depends on the kind of the entry, and bare bits do not have a kind.
// A store takes a `Descriptor`, and the error lists the kinds (E0277).

use core::sync::atomic::AtomicU64;

use lazy_mmu::sim::Sim;

fn store(slot: &AtomicU64) {
    lazy_mmu::with::<Sim, _>(|mmu| mmu.write(slot, 0x4000_0703_u64));
}

fn main() {}
