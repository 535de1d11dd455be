// The other backend's section would flush its own bits, and could invalidate the TLB of another
// regime. The backend is part of the type (E0308).

use std::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::Granule;
use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::{Sim, SimOwnByte};

fn main() {
    let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
    let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1).unwrap();
    lazy_mmu::with::<Sim, _>(|mmu| {
        let unmapped = mmu.unmap(&slot, page);
        lazy_mmu::with::<SimOwnByte, _>(|other| unmapped.invalidate(other));
    });
}
