// Inside a caller's section, the end of a joined section does not emit the pair, and the mapping
// may not be visible after the closure. The type of the pending mapping has the identity of the
// closure's section (E0521).

use core::sync::atomic::AtomicU64;
use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::Sim;

fn main() {
    let slot = AtomicU64::new(0);
    let page = Leaf::page(0x4000_0000, KERNEL_DATA);
    let mapping = lazy_mmu::join::<Sim, _>(|mmu| mmu.write_pending(&slot, page, 7));
    lazy_mmu::with::<Sim, _>(|mmu| mapping.get(&mmu.flush()));
}
