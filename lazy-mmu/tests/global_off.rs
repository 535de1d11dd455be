//! Behaviours S24, S25 and K06: a program switches the mode off, because it registers `Eager`. This
//! test has its own binary, because a program has one backend.

use lazy_mmu_testing::prelude::*;

lazy_mmu::set_global_backend!(Eager<Sim>);

#[test]
fn s25_k06_global_switched_off() {
    #[lazy_mmu(mmu)]
    fn library(slot: &AtomicU64) {
        mmu.write(slot, KERNEL);
        assert!(is_settled(slot), "the store is immediate");
        assert!(!is_active::<Global>());
    }
    let [slot] = slots();
    with::<Global, _>(|mmu| {
        library(&slot);
        mmu.write(&slot, KERNEL);
    });
    assert_eq!(bits::<Sim>(), Bits::EMPTY);
    assert_eq!(
        trace(),
        "[[SDI]SDI]",
        "the sections are inert, and each store has its pair"
    );
}

#[test]
fn s24_k06_a_thread_is_idle_where_global_is_switched_off() {
    assert_eq!(check_idle::<Global>(), Ok(()));
    with::<Global, _>(|_| assert_eq!(check_idle::<Global>(), Ok(())));
    paused::<Global, _>(|| assert_eq!(check_idle::<Global>(), Ok(())));
}
