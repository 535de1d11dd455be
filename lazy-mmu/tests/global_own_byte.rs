//! Row K06: a program whose one backend has a byte of its own. A test binary of its own, because
//! there is one a program.

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
