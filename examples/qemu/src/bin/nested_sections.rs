//! Nested sections on live page tables: the scenario in which freed and allocated pages open
//! sections inside sections. The program counts the barriers that the CPU executes.

#![no_std]
#![no_main]

#[path = "../../../kernels/nested_sections.rs"]
mod shared;

use lazy_mmu_examples::Error;
use lazy_mmu_examples::page::VMALLOC_BASE;
use lazy_mmu_examples::scenario::{MAX_PAGES, Recorder};
use lazy_mmu_examples::trace::Line;
use lazy_mmu_qemu as kernel;
use lazy_mmu_qemu::rows::Rows;
use lazy_mmu_qemu::thread::{ByteMmu, Mmu};
use lazy_mmu_qemu::{step, thread_info};
use semihosting::{eprintln, println, process};

use shared::{
    freed_frame_faults, scenario, tables_are_filled_inside_the_section,
    vmalloc_is_read_through_the_linear_map,
};

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
    let (frame, word, fault) = vmalloc_is_read_through_the_linear_map()?;
    println!(
        "{frame} is mapped at {VMALLOC_BASE:#x}, written there, and read through the linear map: \
         {word:#x}"
    );
    println!("it is unmapped, and touched: {fault}");
    println!("# DEBUG_PAGEALLOC");
    let (frame, [load, store]) = freed_frame_faults()?;
    println!("{frame} is used, freed, and touched: {load}");
    println!("it is written to: {store}");
    tables_are_filled_inside_the_section()?;

    scenario(arguments.pages, arguments.debug_pagealloc, |way| Stepper {
        way,
    })?;
    thread_info::check_clear();
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
