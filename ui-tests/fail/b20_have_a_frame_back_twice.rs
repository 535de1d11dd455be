// Two users could believe that they own the same frame.
// `invalidate` consumes the unmapped value (E0382).

use std::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::Granule;
use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
    let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1).unwrap();
    let unmapped = mmu.unmap(&slot, page);
    let one = unmapped.invalidate(mmu);
    let two = unmapped.invalidate(mmu);
    drop((one, two));
}
