// The other backend's section would have something else settled, and perhaps another regime's TLB invalidated.
// The backend is part of the type.

use std::sync::atomic::AtomicU64;

use lazy_mmu::descriptor::Granule;
use lazy_mmu::sim::{Sim, SimOwnByte};
use lazy_mmu::tlb::VirtualRange;

fn main() {
    let slot = AtomicU64::new(0x4000_0003);
    let page = VirtualRange::new(Granule::Kib4, 0xffff_8000_0000_0000, 1).unwrap();
    lazy_mmu::with::<Sim, _>(|mmu| {
        let unmapped = mmu.unmap(&slot, page);
        lazy_mmu::with::<SimOwnByte, _>(|other| unmapped.invalidate(other));
    });
}
