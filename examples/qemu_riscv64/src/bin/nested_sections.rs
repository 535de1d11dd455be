//! Nested sections on live page tables: the scenario in which freed and allocated pages open
//! sections inside sections. The observer records the stores and the fences.

#![no_std]
#![no_main]

#[path = "../../../kernels/nested_sections.rs"]
mod shared;

use lazy_mmu::{Backend, flush_tlb_kernel_range, with, write};
use lazy_mmu_examples::page::VMALLOC_BASE;
use lazy_mmu_examples::scenario::Recorder;
use lazy_mmu_examples::{Error, PageRange};
use lazy_mmu_qemu_riscv64 as kernel;
use lazy_mmu_qemu_riscv64::arena::{Arena, WORD};
use lazy_mmu_qemu_riscv64::steps::{self, OPERATION, Of};
use lazy_mmu_qemu_riscv64::thread::{ByteMmu, Mmu};
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
