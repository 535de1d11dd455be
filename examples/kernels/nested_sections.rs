//! The parts of the program `nested_sections` that do not depend on the architecture. The program
//! has its library by the name `kernel`.

use core::cell::Cell;

use lazy_mmu::{Backend, Eager};
use lazy_mmu_examples::page::{USER_BASE, VMALLOC_BASE};
use lazy_mmu_examples::scenario::{self, MAX_PAGES, MEMORY_BASE, Recorder, WAYS};
use lazy_mmu_examples::tolerant::Tolerant;
use lazy_mmu_examples::witness::{Filled, Witness};
use lazy_mmu_examples::{Error, Fault, Frame, Machine, MemoryManager, PageRange};
use semihosting::println;
use spin::mutex::SpinMutex;

use crate::kernel::thread::Mmu;
use crate::kernel::virt::Virt;

/// Runs the scenario on `pages` pages in each of the three ways, with a recorder for each.
pub(crate) fn scenario<R: Recorder>(
    pages: usize,
    debug_pagealloc: bool,
    recorder: fn(&'static str) -> R,
) -> Result<(), Error> {
    let on = if debug_pagealloc { "on" } else { "off" };
    println!("# the scenario: {pages} pages, DEBUG_PAGEALLOC {on}");
    scenario_in::<Eager<Mmu>>(pages, debug_pagealloc, recorder(WAYS[0]))?;
    scenario_in::<Tolerant<Mmu>>(pages, debug_pagealloc, recorder(WAYS[1]))?;
    scenario_in::<Mmu>(pages, debug_pagealloc, recorder(WAYS[2]))
}

fn scenario_in<B: Backend>(
    pages: usize,
    debug_pagealloc: bool,
    mut recorder: impl Recorder,
) -> Result<(), Error> {
    /// The scenario's list of frames, which is too large for the stack.
    static FRAMES: SpinMutex<[Frame; MAX_PAGES]> = SpinMutex::new([MEMORY_BASE; MAX_PAGES]);

    let mut mm = Virt::<B>::boot(scenario::memory_frames(pages), debug_pagealloc)?;
    scenario::run(&mut mm, &mut FRAMES.lock()[..pages], &mut recorder)
}

/// Maps a frame, writes to it, and reads it through the linear map.
///
/// Returns the frame, the word, and the fault of an access after the frame is unmapped.
pub(crate) fn vmalloc_is_read_through_the_linear_map() -> Result<(Frame, u64, Fault), Error> {
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
    mm.vunmap_range(page)?;
    let fault = machine.read(address).expect_err("it is no longer mapped");
    Ok((frame, read, fault))
}

/// Frees a frame. Returns the frame, and the faults of a load and a store afterwards.
pub(crate) fn freed_frame_faults() -> Result<(Frame, [Fault; 2]), Error> {
    let mut mm = Virt::<Mmu>::boot(4096, true)?;
    let frame = mm.allocate(1)?;
    let machine = mm.machine();
    machine.write(frame.linear(), 1)?;
    assert_eq!(machine.read(frame.linear())?, 1);
    mm.release(frame)?;
    let load = machine.read(frame.linear()).expect_err("the frame is free");
    assert_eq!(load.address, frame.linear());
    let store = machine
        .write(frame.linear() + 8, 1)
        .expect_err("the frame is free");
    assert_eq!(store.address, frame.linear() + 8);
    Ok((frame, [load, store]))
}

/// Counts the tables that are filled while the section is open that links them.
pub(crate) fn tables_are_filled_inside_the_section() -> Result<(), Error> {
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
