//! Behaviour K06: the registered backend has the bits in their own byte. This test has its own
//! binary, because a program has one backend.

use lazy_mmu_testing::prelude::*;

lazy_mmu::set_global_backend!(SimOwnByte);

#[test]
fn k06_global_with_an_own_byte() {
    #[lazy_mmu(mmu)]
    fn library(slot: &AtomicU64) {
        mmu.write(slot, KERNEL);
        assert!(is_active::<SimOwnByte>());
        assert!(!is_active::<Sim>());
    }
    let [slot] = slots();
    with::<Global, _>(|mmu| {
        library(&slot);
        mmu.note_store();
        assert_eq!(bits::<SimOwnByte>(), Bits::ACTIVE.union(Bits::PENDING));
        paused::<Global, _>(|| assert!(!is_active::<SimOwnByte>()));
    });
    assert_eq!(bits::<SimOwnByte>(), Bits::EMPTY);
    assert_eq!(pairs(&take_trace()), 2);
}
