//! Rows S24 and S25 with K06: a program that switches the mode off, by registering `Eager`. A test
//! binary of its own, because there is one backend a program.

use lazy_mmu_testing::prelude::*;

lazy_mmu::set_global_backend!(Eager<Sim>);

#[test]
fn s25_k06_global_switched_off() {
    #[lazy_mmu(mmu)]
    fn library(slot: &AtomicU64) {
        mmu.write(slot, KERNEL);
        assert!(is_settled(slot), "immediate");
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
        "no section is entered; each store with its pair"
    );
}

#[test]
fn s24_k06_a_thread_is_idle_where_global_is_switched_off() {
    assert_eq!(check_idle::<Global>(), Ok(()));
    with::<Global, _>(|_| assert_eq!(check_idle::<Global>(), Ok(())));
    paused::<Global, _>(|| assert_eq!(check_idle::<Global>(), Ok(())));
}
