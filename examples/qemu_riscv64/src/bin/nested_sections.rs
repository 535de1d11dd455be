//! Nested sections on live page tables: the scenario in which freed and allocated pages open
//! sections inside sections. The observer records the stores and the fences.

#![no_std]
#![no_main]

use core::cell::Cell;

use lazy_mmu::riscv64::Mode;
use lazy_mmu::riscv64::descriptor::VALID;
use lazy_mmu::{Backend, Dynamic, Eager, LazyMmu, flush_tlb_kernel_range, gather, with, write};
use lazy_mmu_examples::page::{LEAF_LEVEL, USER_BASE, VMALLOC_BASE};
use lazy_mmu_examples::scenario::{self, MAX_PAGES, MEMORY_BASE, Recorder, WAYS};
use lazy_mmu_examples::tolerant::Tolerant;
use lazy_mmu_examples::witness::{Filled, Witness};
use lazy_mmu_examples::{Error, Frame, Machine, MemoryManager, PageRange};
use lazy_mmu_qemu_riscv64::arena::{Arena, WORD};
use lazy_mmu_qemu_riscv64::steps::{self, OPERATION, Of};
use lazy_mmu_qemu_riscv64::thread::{self, ByteMmu, Mmu};
use lazy_mmu_qemu_riscv64::virt::{Virt, entries};
use lazy_mmu_qemu_riscv64::{access, program, smp};
use semihosting::println;
use spin::mutex::SpinMutex;

lazy_mmu_qemu_riscv64::program!(run);

fn run() -> Result<(), Error> {
    println!("# 512 stores, on live tables of the upper half");
    stores::<Mmu>("flags word")?;
    stores::<ByteMmu>("own byte")?;

    println!("# entries that are taken away, and others in their places");
    entries_are_taken_away()?;

    println!("# mappings");
    vmalloc_is_read_through_the_linear_map()?;
    println!("# DEBUG_PAGEALLOC");
    freed_frame_faults()?;
    tables_are_filled_inside_the_section()?;

    let pages = program::number(1, 64);
    println!("# the scenario: {pages} pages, DEBUG_PAGEALLOC on");
    scenario_in::<Eager<Mmu>>(WAYS[0], pages)?;
    scenario_in::<Tolerant<Mmu>>(WAYS[1], pages)?;
    scenario_in::<Mmu>(WAYS[2], pages)?;

    thread::check_clear();
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

    let (_mm, arena) = Arena::boot::<B>(PAGES, 1)?;
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

    let (mm, arena) = Arena::boot::<Mmu>(1, 2)?;
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

fn scenario_in<B: Backend>(way: &'static str, pages: usize) -> Result<(), Error> {
    /// The scenario's list of frames, which is too large for the stack.
    static FRAMES: SpinMutex<[Frame; MAX_PAGES]> = SpinMutex::new([MEMORY_BASE; MAX_PAGES]);

    let mut mm = Virt::<B>::boot(scenario::memory_frames(pages), true)?;
    scenario::run(&mut mm, &mut FRAMES.lock()[..pages], &mut Lines { way })
}

fn vmalloc_is_read_through_the_linear_map() -> Result<(), Error> {
    let mut mm = Virt::<Mmu>::boot(4096, true)?;
    let machine = mm.machine();
    let frame = mm.allocate(1)?;
    let page = PageRange::new(VMALLOC_BASE, 1)?;
    let (address, word) = (page.start() + 8, 0x1234_5678_9abc_def0);
    machine
        .write(address, word)
        .expect_err("it is not mapped yet");
    let mapping = mm.vmap(page, &[frame])?;
    mapping.write(machine, 1, word)?;
    let read = machine.read(frame.linear() + 8)?;
    assert_eq!(read, word);
    println!(
        "a frame is mapped at {:#x}, written there, and read through the linear map: {read:#x}",
        page.start()
    );
    mm.vunmap_range(page)?;
    let fault = machine.read(address).expect_err("it is no longer mapped");
    println!("it is unmapped, and touched: {fault}");
    Ok(())
}

fn freed_frame_faults() -> Result<(), Error> {
    let mut mm = Virt::<Mmu>::boot(4096, true)?;
    let frame = mm.allocate(1)?;
    let machine = mm.machine();
    machine.write(frame.linear(), 1)?;
    assert_eq!(machine.read(frame.linear())?, 1);
    mm.release(frame)?;
    let fault = machine.read(frame.linear()).expect_err("the frame is free");
    assert_eq!(fault.address, frame.linear());
    println!("a frame is used, freed, and touched: a fault");
    let fault = machine
        .write(frame.linear() + 8, 1)
        .expect_err("the frame is free");
    assert_eq!(fault.address, frame.linear() + 8);
    println!("it is written to: a fault");
    Ok(())
}

fn tables_are_filled_inside_the_section() -> Result<(), Error> {
    let (machine, map) = Virt::<Mmu>::new(4096);
    let filled = Cell::new(Filled::default());
    let mut mm = MemoryManager::boot(Witness::new(machine, &filled), map, true)?;
    filled.set(Filled::default());
    mm.populate_user_range(PageRange::new(USER_BASE, 1100)?)?;
    let Filled {
        in_section,
        outside,
    } = filled.get();
    assert_eq!(outside, 0);
    println!(
        "B19 populate_user_range of 1100 pages: {in_section} tables filled before the outer leave"
    );
    Ok(())
}
