//! Rows S24 and S25 with K06: a program that switches the mode off, by registering `Eager`. A test
//! binary of its own, because there is one backend a program.

use std::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::raw::Kind;
use lazy_mmu::sim::{self, Event, Sim};
use lazy_mmu::{Bits, Eager, Global, check_idle, is_active, lazy_mmu, paused, with};

lazy_mmu::set_global_backend!(Eager<Sim>);

#[test]
fn s25_k06_global_switched_off() {
    #[lazy_mmu(mmu)]
    fn library(slot: &AtomicU64) {
        mmu.write(slot, Leaf::page(0x4000_0000, KERNEL_DATA));
        assert!(sim::is_settled(slot), "immediate");
        assert!(!is_active::<Global>());
    }
    let slot = AtomicU64::new(0);
    with::<Global, _>(|mmu| {
        library(&slot);
        mmu.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
    });
    assert_eq!(sim::bits::<Sim>(), Bits::EMPTY);
    let mut barriers = 0;
    for event in sim::take_trace() {
        match event {
            Event::Store { .. } | Event::DsbIshst | Event::Isb => barriers += 1,
            Event::Enter(kind) => assert_eq!(kind, Kind::Inert, "no section is entered"),
            _ => {}
        }
    }
    assert_eq!(barriers, 6, "two stores, each with its pair");
}

#[test]
fn s24_k06_a_thread_is_idle_where_global_is_switched_off() {
    assert_eq!(check_idle::<Global>(), Ok(()));
    with::<Global, _>(|_| assert_eq!(check_idle::<Global>(), Ok(())));
    paused::<Global, _>(|| assert_eq!(check_idle::<Global>(), Ok(())));
}
