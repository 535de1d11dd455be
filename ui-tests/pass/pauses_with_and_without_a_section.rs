// Code that does not have a section must be able to make its stores immediate.
// A pause is a closure, either a method of the section or a function.
#![deny(warnings)]

use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::{Sim, is_settled};
use lazy_mmu::{lazy_mmu, paused, write};

fn store_and_use(slot: &AtomicU64) {
    write::<Sim, _>(slot, Leaf::page(0x4000_0000, KERNEL_DATA));
    assert!(is_settled(slot));
}

#[lazy_mmu(backend = Sim, mmu)]
fn main() {
    let slot = AtomicU64::new(0);
    assert_eq!(mmu.paused(|| {
        store_and_use(&slot);
        1
    }), 1);
    paused::<Sim, _>(|| paused::<Sim, _>(|| store_and_use(&slot)));
    assert!(lazy_mmu::is_active::<Sim>());
}
