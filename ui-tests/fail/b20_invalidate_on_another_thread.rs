// The first thread made the store that clears the entry. A barrier of another thread does not
// complete this store. An `Unmapped` value is not `Send` (E0277).

use std::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::Granule;
use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::Sim;

fn main() {
    let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
    let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1).unwrap();
    let unmapped = lazy_mmu::with::<Sim, _>(|mmu| mmu.unmap(&slot, page));
    on_another_thread(unmapped);
}

fn on_another_thread<T: Send>(_: T) {}
