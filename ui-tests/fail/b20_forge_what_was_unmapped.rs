// A forged `Unmapped` would invalidate other addresses, and return a value whose mapping a TLB
// still holds. The fields are private.

use lazy_mmu::aarch64::Granule;
use lazy_mmu::sim::Sim;
use lazy_mmu::{Invalidation, Scope, Unmapped};

fn main() {
    let range = Granule::Kib4.range(0, 0).unwrap();
    let invalidation = Invalidation { range, scope: Scope::PAGES };
    let forged = Unmapped::<u64, Sim> { invalidation, value: core::mem::ManuallyDrop::new(7) };
    drop(forged.invalidate_now());
}
