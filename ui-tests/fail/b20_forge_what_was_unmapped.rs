// An invalidation of the wrong addresses would free the frame while a TLB knows it.
// The fields are private: only a section's `unmap` makes one, from the entry that it clears.

use lazy_mmu::descriptor::Granule;
use lazy_mmu::sim::Sim;
use lazy_mmu::tlb::{Scope, VirtualRange};
use lazy_mmu::Unmapped;

fn main() {
    let range = VirtualRange::new(Granule::Kib4, 0, 0).unwrap();
    let forged: Unmapped<u64, Sim> = Unmapped { range, scope: Scope::LastLevel, value: core::mem::ManuallyDrop::new(7) };
    drop(forged.invalidate_now());
}
