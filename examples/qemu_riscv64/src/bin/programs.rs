//! S18 on a hart: random programs of sections, with interrupts of the timer.
//!
//! [`random`] describes the programs. This kernel runs each of them without interrupts, and several
//! times while the timer interrupts it. The handler opens a section, maps a page, uses the mapping,
//! and leaves. The observer records the stores and the fences, of the programs and of the handler
//! apart. `cargo xtask` compares them with the reference model.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lazy_mmu::{Backend, Bits, Storage as _, Task};
use lazy_mmu_examples::Error;
use lazy_mmu_examples::random::{self, Entries};
use lazy_mmu_qemu_riscv64::arena::Arena;
use lazy_mmu_qemu_riscv64::thread::{ByteMmu, Mmu};
use lazy_mmu_qemu_riscv64::{interrupts, mapper, program, steps, thread_info};
use semihosting::println;

/// The address at which QEMU loads the programs.
const PROGRAMS: usize = 0xb000_0000;

/// The least ticks of 100 nanoseconds between two interrupts.
const TICKS: u64 = 100;

/// The number of interrupts inside a section.
static IN_SECTION: AtomicUsize = AtomicUsize::new(0);

lazy_mmu_qemu_riscv64::program!(run);

fn run() -> Result<(), Error> {
    let promised = program::number(1, 100);
    // How often a program runs while the timer interrupts it.
    let times = program::number(2, 8);
    for (place, all) in [
        ("flags word", all::<Mmu> as fn(_) -> Result<_, _>),
        ("own byte", all::<ByteMmu>),
    ] {
        let (programs, interrupts, in_section) = all(times)?;
        assert_eq!(programs, promised, "the number of programs");
        println!(
            "S18 {place}: {programs} random programs; runs of each: 1, and {times} under the \
             timer; {interrupts} interrupts, {in_section} inside a section; none lost"
        );
    }
    Ok(())
}

/// Runs all programs. Returns their number, the number of interrupts, and how many of these came
/// while a section was open.
fn all<B: Backend>(times: usize) -> Result<(usize, usize, usize), Error> {
    let (_mm, arena) = Arena::boot::<B>(3, 1, false)?;
    mapper::init(&arena, 2);
    let entries = Entries {
        kernel: &arena.slots[0],
        user: &arena.slots[1],
        kernel_leaf: arena.leaf(0),
        user_leaf: arena.user_leaf(),
    };
    let mut programs = 0;
    // SAFETY: QEMU has loaded the programs into RAM of the identity map.
    for line in unsafe { random::lines(PROGRAMS) } {
        let (ops, _) = line.split_once(' ').expect("a program, and what it does");
        run_one::<B>(&entries, ops);
        programs += 1;
    }
    interrupts::start_timer(TICKS, handler::<B>);
    // SAFETY: as above.
    for line in unsafe { random::lines(PROGRAMS) } {
        let (ops, _) = line.split_once(' ').expect("a program, and what it does");
        for _ in 0..times {
            run_one::<B>(&entries, ops);
        }
    }
    let taken = interrupts::stop_timer();
    let in_section = IN_SECTION.swap(0, Relaxed);
    assert_eq!(mapper::used(), taken, "each interrupt has used its mapping");
    assert!(in_section > 0, "an interrupt inside a section is missing");
    Ok((programs, taken, in_section))
}

/// The handler of an interrupt, which records what it does.
fn handler<B: Backend>() {
    if B::current().load() != Bits::EMPTY {
        IN_SECTION.fetch_add(1, Relaxed);
    }
    steps::start::<{ steps::HANDLER }>();
    mapper::map_and_use::<B>(true);
    steps::stop();
}

fn run_one<B: Backend>(entries: &Entries, ops: &str) {
    {
        // SAFETY: this is the only handle of the thread, which drops it before the next.
        let mut task = unsafe { Task::<B>::current() };
        steps::record(|| random::run(entries, &mut task, ops));
    }
    assert_eq!(B::current().load(), Bits::EMPTY, "{ops}");
    thread_info::check_clear();
}
