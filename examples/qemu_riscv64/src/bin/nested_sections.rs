//! Nested sections on live page tables: the scenario in which freed and allocated pages open
//! sections inside sections. The observer records the stores and the fences.

#![no_std]
#![no_main]

#[path = "../../../kernels/nested_sections.rs"]
mod shared;

use lazy_mmu::riscv64::Mode;
use lazy_mmu::riscv64::descriptor::VALID;
use lazy_mmu::{Backend, Dynamic, LazyMmu, flush_tlb_kernel_range, gather, with, write};
use lazy_mmu_examples::page::{LEAF_LEVEL, VMALLOC_BASE};
use lazy_mmu_examples::scenario::Recorder;
use lazy_mmu_examples::{Error, PageRange};
use lazy_mmu_qemu_riscv64 as kernel;
use lazy_mmu_qemu_riscv64::arena::{Arena, WORD};
use lazy_mmu_qemu_riscv64::steps::{self, OPERATION, Of};
use lazy_mmu_qemu_riscv64::thread::{ByteMmu, Mmu};
use lazy_mmu_qemu_riscv64::virt::entries;
use lazy_mmu_qemu_riscv64::{access, program, smp, thread_info};
use semihosting::println;

use shared::{
    freed_frame_faults, scenario, tables_are_filled_inside_the_section,
    vmalloc_is_read_through_the_linear_map,
};

lazy_mmu_qemu_riscv64::program!(run);

fn run() -> Result<(), Error> {
    println!("# 512 stores, on live tables of the upper half");
    stores::<Mmu>("flags word")?;
    stores::<ByteMmu>("own byte")?;

    println!("# entries that are taken away, and others in their places");
    entries_are_taken_away()?;

    println!("# mappings");
    let (_, word, fault) = vmalloc_is_read_through_the_linear_map()?;
    println!(
        "a frame is mapped at {VMALLOC_BASE:#x}, written there, and read through the linear map: \
         {word:#x}"
    );
    println!("it is unmapped, and touched: {fault}");
    println!("# DEBUG_PAGEALLOC");
    // The frame has another number with another mode.
    freed_frame_faults()?;
    println!("a frame is used, freed, and touched: a fault");
    println!("it is written to: a fault");
    tables_are_filled_inside_the_section()?;

    let pages = program::number(1, 64);
    scenario(pages, true, |way| Lines { way })?;
    thread_info::check_clear();
    Ok(())
}

/// Maps 512 pages in a section, and one by one without a section. Each hart uses all of them.
fn stores<B: Backend>(place: &str) -> Result<(), Error> {
    const PAGES: usize = 512;

    fn use_here(start: u64) {
        let range = PageRange::new(start, PAGES).expect("it is that of the arena");
        for address in range.addresses() {
            assert_eq!(access::read_mapped(address), WORD);
        }
    }

    let (_mm, arena) = Arena::boot::<B>(PAGES, 1, false)?;
    let use_all = || {
        use_here(arena.range.start());
        smp::on_others(use_here, arena.range.start());
    };
    steps::record(|| {
        with::<B, _>(|mmu| {
            for slot in arena.slots {
                mmu.write(slot, arena.leaf(0));
            }
        });
    });
    use_all();
    println!("B01 B03 R03 {place}: in a section: {}", Of(OPERATION));
    steps::record(|| arena.clear::<B>(0, PAGES));
    println!("{place}: cleared, and one invalidation: {}", Of(OPERATION));
    steps::record(|| {
        for slot in arena.slots {
            write::<B, _>(slot, arena.leaf(0));
        }
    });
    use_all();
    println!("B01 B02 R03 {place}: without a section: {}", Of(OPERATION));
    arena.clear::<B>(0, PAGES);

    let other = PageRange::new(arena.range.page(1), 1)?;
    steps::record(|| flush_tlb_kernel_range::<B>(other.into()));
    println!("{place}: an invalidation of a page: {}", Of(OPERATION));
    steps::record(|| {
        with::<B, _>(|mmu| {
            mmu.write(&arena.slots[0], arena.leaf(0));
            flush_tlb_kernel_range::<B>(other.into());
        });
    });
    assert_eq!(access::read_mapped(arena.range.start()), WORD);
    println!(
        "R09 {place}: the same, while a store awaits its barrier: {}",
        Of(OPERATION)
    );
    Ok(())
}

/// Changes a valid entry in each way, and uses the mapping after each change.
fn entries_are_taken_away() -> Result<(), Error> {
    /// Prints the steps of a section.
    fn section<R>(what: &str, f: impl FnOnce(&mut LazyMmu<'_, Dynamic, Mmu>) -> R) -> R {
        let result = steps::record(|| with::<Mmu, _>(f));
        println!("R10 {what}: {}", Of(OPERATION));
        result
    }

    let (mm, arena) = Arena::boot::<Mmu>(1, 2, false)?;
    let (slots, slot) = (arena.slots, &arena.slots[0]);
    let page = arena.range.into();
    let [zero, one] = [0, 1].map(|frame| arena.leaf(frame));
    write::<Mmu, _>(slot, zero);
    arena.check(0, 0);
    let old = section("a page is replaced", |mmu| {
        mmu.replace(slot, page, one).invalidate(mmu)
    });
    assert_eq!(old, zero.0);
    arena.check(0, 1);
    let old = section("a page is replaced by break-before-make", |mmu| {
        mmu.break_before_make(slot, page, |_| zero)
    });
    assert_eq!(old, one.0);
    arena.check(0, 0);
    section("a page becomes invalid", |mmu| {
        mmu.set_memory_valid(slots, page, false);
    });
    access::read(arena.range.start()).expect_err("it is invalid");
    section("the page becomes valid", |mmu| {
        mmu.set_memory_valid(slots, page, true);
    });
    arena.check(0, 0);

    let level_1 = &entries(&mm, arena.range.start(), LEAF_LEVEL - 1)?[0];
    let range = Mode::Sv39.entry(1, arena.range.start());
    let range = range.expect("the arena begins with a table");
    let mut tables = [None];
    section("a table is taken away", |_| {
        gather::<Mmu, _, _>(&mut tables, |gather| {
            gather.unmap_table(level_1, range, |old| old)
        })
    })
    .expect("the gather has room");
    access::read(arena.range.start()).expect_err("its table is gone");
    assert!(tables[0].is_some_and(|old| old & VALID != 0));
    Ok(())
}

/// Records each operation, and prints its line.
struct Lines {
    way: &'static str,
}

impl Recorder for Lines {
    fn start(&mut self, _: &'static str) {
        steps::start::<OPERATION>();
    }

    fn stop(&mut self, operation: &'static str) {
        steps::stop();
        println!("{:<9} {operation:<19} {}", self.way, Of(OPERATION));
    }
}
