//! Two pages are mapped in a section of their own, and then read.

#![no_std]
#![no_main]

use lazy_mmu_examples::Error;
use lazy_mmu_qemu::arena::Arena;
use lazy_mmu_qemu::step;
use lazy_mmu_qemu::thread::Mmu;
use semihosting::println;

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), Error> {
    let (_mm, arena) = Arena::boot::<Mmu>(2, 2, false)?;
    step::expect("S*2 D I", || {
        lazy_mmu::with::<Mmu, _>(|mmu| {
            for (number, slot) in arena.slots.iter().enumerate() {
                mmu.write(slot, arena.leaf(number));
            }
        });
    });
    arena.check(0, 0);
    arena.check(1, 1);
    println!("B01 two pages in one section: S*2 D I");
    Ok(())
}
