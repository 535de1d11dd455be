//! Sections under the generic timer: interrupts at any place, at the highest rate at which the
//! program still makes progress.
//!
//! The first word behind the level is the number of sections. The output depends on the machine's
//! speed. The program checks itself that nothing is lost, and that interrupts occurred.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::{Backend, Bits, Storage as _, lazy_mmu};
use lazy_mmu_examples::Error;
use lazy_mmu_qemu::arena::Arena;
use lazy_mmu_qemu::thread::{ByteMmu, Mmu};
use lazy_mmu_qemu::{interrupts, mapper, program, thread_info};
use semihosting::println;

/// The number of the program's pages. The handler's page follows them.
const PAGES: usize = 4;

/// The number of interrupts taken while the thread had a section open.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), Error> {
    let sections = program::number(1, 100_000);
    interrupts::init(1, || {
        let open = Mmu::current().load().contains(Bits::ACTIVE)
            || ByteMmu::current().load().contains(Bits::ACTIVE);
        INSIDE.fetch_add(usize::from(open), Relaxed);
        mapper::map_and_use::<Mmu>(true);
    });
    under_the_timer::<Mmu>("flags word", sections)?;
    under_the_timer::<ByteMmu>("own byte", sections)
}

fn under_the_timer<B: Backend>(storage: &str, sections: usize) -> Result<(), Error> {
    let (_mm, arena) = Arena::boot::<B>(PAGES + 1, 2, false)?;
    mapper::init(&arena, PAGES);
    let ticks = highest_rate::<B>(&arena);
    interrupts::taken();
    mapper::used();
    INSIDE.store(0, Relaxed);
    interrupts::set_timer(ticks, usize::MAX);
    let mut stores = 0;
    for number in 0..sections {
        stores += section::<B>(&arena, number);
    }
    interrupts::set_timer(0, 0);
    let (taken, inside) = (interrupts::taken(), INSIDE.load(Relaxed));
    assert_eq!(mapper::used(), taken, "each handler has used its mapping");
    // In real time, the number of interrupts inside a section depends on the host. `cargo xtask`
    // asks for some in virtual time.
    assert!(taken > sections / 5000, "only {taken} interrupts");
    thread_info::check_clear();
    println!(
        "C05 {storage}: {sections} sections with {stores} stores, timer interrupts at least \
         {ticks} ticks apart: {taken}, {inside} of them inside a section; none lost"
    );
    Ok(())
}

/// Returns the fewest ticks between two interrupts, a power of two, at which a section is
/// interrupted less than twice on average. With fewer ticks, the handler takes all the time and the
/// program does not make progress.
fn highest_rate<B: Backend>(arena: &Arena) -> u64 {
    const SECTIONS: usize = 100;
    let mut ticks = 1;
    loop {
        interrupts::taken();
        interrupts::set_timer(ticks, 2 * SECTIONS);
        for number in 0..SECTIONS {
            section::<B>(arena, number);
        }
        interrupts::set_timer(0, 0);
        if interrupts::taken() < 2 * SECTIONS {
            return ticks;
        }
        ticks *= 2;
    }
}

/// Maps pages in a section, uses them, and sometimes removes them. Returns the stores.
fn section<B: Backend>(arena: &Arena, number: usize) -> usize {
    #[lazy_mmu(backend = B, mmu)]
    fn map<B: Backend>(slots: &[AtomicU64], leaf: Leaf) {
        for slot in slots {
            mmu.write(slot, leaf);
        }
        lazy_mmu::with::<B, _>(|inner| inner.write(&slots[0], leaf));
        mmu.paused(|| lazy_mmu::write::<B, _>(&slots[0], leaf));
        mmu.note_store();
    }

    let pages = 1 + number % PAGES;
    // The handler maps frame 0.
    map::<B>(&arena.slots[..pages], arena.leaf(1));
    assert_eq!(B::current().load(), Bits::EMPTY);
    for page in 0..pages {
        arena.check(page, 1);
    }
    // This is rare, because under emulation an invalidation takes much longer than a section.
    if number.is_multiple_of(64) {
        arena.clear::<B>(0, PAGES);
    }
    pages + 2
}
