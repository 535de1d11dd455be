//! Row K06: a program whose one backend has a byte of its own. A test binary of its own, because there is one a program.

use std::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::{self, Sim, SimOwnByte};
use lazy_mmu::{Bits, Global, is_active, lazy_mmu, paused, with};

lazy_mmu::set_global_backend!(SimOwnByte);

#[test]
fn k06_global_with_an_own_byte() {
    #[lazy_mmu(mmu)]
    fn library(slot: &AtomicU64) {
        mmu.write(slot, Leaf::page(0x4000_0000, KERNEL_DATA));
        assert!(is_active::<SimOwnByte>());
        assert!(!is_active::<Sim>());
    }
    let slot = AtomicU64::new(0);
    with::<Global, _>(|mmu| {
        library(&slot);
        mmu.note_store();
        assert_eq!(sim::bits::<SimOwnByte>(), Bits::ACTIVE.union(Bits::PENDING));
        paused::<Global, _>(|| assert!(!is_active::<SimOwnByte>()));
    });
    assert_eq!(sim::bits::<SimOwnByte>(), Bits::EMPTY);
    assert_eq!(sim::pairs(&sim::take_trace()), 2);
}
