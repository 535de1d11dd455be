//! Nested sections on live page tables: the scenario in which freed and allocated pages open
//! sections inside sections. The program counts the barriers that the CPU executes.

#![no_std]
#![no_main]

use core::cell::Cell;

use lazy_mmu::{Backend, Eager};
use lazy_mmu_examples::page::{USER_BASE, VMALLOC_BASE};
use lazy_mmu_examples::scenario::{self, MAX_PAGES, MEMORY_BASE, Recorder, WAYS};
use lazy_mmu_examples::tolerant::Tolerant;
use lazy_mmu_examples::trace::Line;
use lazy_mmu_examples::witness::{Filled, Witness};
use lazy_mmu_examples::{Error, Frame, Machine, MemoryManager, PageRange};
use lazy_mmu_qemu::rows::Rows;
use lazy_mmu_qemu::step;
use lazy_mmu_qemu::thread::{self, ByteMmu, Mmu};
use lazy_mmu_qemu::virt::Virt;
use semihosting::{eprintln, println, process};
use spin::mutex::SpinMutex;

lazy_mmu_qemu::program!(|| run(&Arguments::get()));

struct Arguments {
    pages: usize,
    debug_pagealloc: bool,
}

impl Arguments {
    fn get() -> Self {
        let mut arguments = Self {
            pages: 64,
            debug_pagealloc: true,
        };
        let words =
            semihosting::experimental::env::args::<256>().expect("QEMU passes a command line");
        let mut words = words.skip(1).map(|it| it.expect("it is UTF-8"));
        while let Some(name) = words.next() {
            match (name, words.next()) {
                ("--pages", Some(number)) => match number.parse() {
                    Ok(pages @ 1..=MAX_PAGES) => arguments.pages = pages,
                    _ => refuse(number),
                },
                ("--debug-pagealloc", Some("on")) => arguments.debug_pagealloc = true,
                ("--debug-pagealloc", Some("off")) => arguments.debug_pagealloc = false,
                (_, word) => refuse(word.unwrap_or(name)),
            }
        }
        arguments
    }
}

fn refuse(word: &str) -> ! {
    eprintln!("error: not understood: {word}");
    eprintln!("usage: nested_sections [--pages 1..={MAX_PAGES}] [--debug-pagealloc on|off]");
    process::exit(2);
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    println!("# rows of the behaviours, on live tables of TTBR1");
    Rows::<Mmu>::boot()?.plain()?;
    Rows::<ByteMmu>::boot()?.plain()?;

    println!("# mappings");
    vmalloc_is_read_through_the_linear_map()?;
    println!("# DEBUG_PAGEALLOC");
    freed_frame_faults()?;
    tables_are_filled_inside_the_section()?;

    println!(
        "# the scenario: {} pages, DEBUG_PAGEALLOC {}",
        arguments.pages,
        if arguments.debug_pagealloc {
            "on"
        } else {
            "off"
        }
    );
    scenario_in::<Eager<Mmu>>(WAYS[0], arguments)?;
    scenario_in::<Tolerant<Mmu>>(WAYS[1], arguments)?;
    scenario_in::<Mmu>(WAYS[2], arguments)?;

    thread::check_clear();
    Ok(())
}

/// Steps through each operation, and prints its line.
struct Stepper {
    way: &'static str,
}

impl Recorder for Stepper {
    fn start(&mut self, _: &'static str) {
        step::start();
    }

    fn stop(&mut self, operation: &'static str) {
        let trace = step::stop();
        println!(
            "{}",
            Line {
                way: self.way,
                operation,
                steps: trace.steps,
            }
        );
    }
}

fn scenario_in<B: Backend>(way: &'static str, arguments: &Arguments) -> Result<(), Error> {
    /// The scenario's list of frames, which is too large for the stack.
    static FRAMES: SpinMutex<[Frame; MAX_PAGES]> = SpinMutex::new([MEMORY_BASE; MAX_PAGES]);

    let frames = scenario::memory_frames(arguments.pages);
    let mut mm = Virt::<B>::boot(frames, arguments.debug_pagealloc)?;
    scenario::run(
        &mut mm,
        &mut FRAMES.lock()[..arguments.pages],
        &mut Stepper { way },
    )
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
        "{frame} is mapped at {:#x}, written there, and read through the linear map: {read:#x}",
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
    println!("{frame} is used, freed, and touched: {fault}");
    let fault = machine
        .write(frame.linear() + 8, 1)
        .expect_err("the frame is free");
    assert_eq!(fault.address, frame.linear() + 8);
    println!("it is written to: {fault}");
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
