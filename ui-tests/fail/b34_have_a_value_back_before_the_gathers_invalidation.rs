// While a TLB holds the old mapping, a reused frame can be written by two owners.
// The gather borrows its storage until the invalidation (E0499).

use core::sync::atomic::AtomicU64;
use lazy_mmu::aarch64::Granule;
use lazy_mmu::gather;
use lazy_mmu::sim::Sim;

fn main() {
    let slot = AtomicU64::new(0);
    let page = Granule::Kib4.range(0x4000_0000, 1).unwrap();
    let mut frames = [const { None }; 8];
    gather::<Sim, _, _>(&mut frames, |gather| {
        gather.unmap(&slot, page, |old| old).unwrap();
        let early = frames[0].take();
        drop(early);
    });
}
