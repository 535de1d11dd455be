//! S18 on the CPU: random programs of sections, with an interrupt before every instruction.
//!
//! `cargo xtask` makes the programs. It computes their expected stores and barriers with the
//! reference model of `lazy-mmu-testing`. QEMU loads both at `PROGRAMS`. This kernel runs each
//! program twice, single-stepped: without interrupts, and with one before every instruction. The
//! handler opens a section, maps a page, uses the mapping, and leaves. Both runs must make the
//! stores and barriers of the model.

#![no_std]
#![no_main]

use lazy_mmu::{Backend, Bits, Storage as _, Task};
use lazy_mmu_examples::Error;
use lazy_mmu_examples::random::{self, Entries};
use lazy_mmu_examples::trace::{Order, Step};
use lazy_mmu_qemu::arena::Arena;
use lazy_mmu_qemu::step::Injection;
use lazy_mmu_qemu::thread::{ByteMmu, Mmu};
use lazy_mmu_qemu::{interrupts, mapper, program, step, thread_info};
use semihosting::println;

/// The address at which QEMU loads the programs.
///
/// The first 64-bit word is their length in bytes. Each following line has a program, a space, and
/// its expected steps: `S` for a store, `D` for `dsb ishst`, and `I` for `isb`.
const PROGRAMS: usize = 0x7000_0000;

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), Error> {
    let promised = program::number(1, 100);
    interrupts::init(1, || mapper::map_and_use::<Mmu>(true));
    for (storage, all) in [
        ("flags word", all::<Mmu> as fn() -> Result<_, _>),
        ("own byte", all::<ByteMmu>),
    ] {
        let (programs, interrupts) = all()?;
        assert_eq!(programs, promised, "the number of programs");
        println!(
            "S18 {storage}: {programs} random programs, {interrupts} interrupts, one before every \
             instruction: what the reference model does; none lost"
        );
    }
    Ok(())
}

/// Runs all programs, and returns their number and the number of interrupts.
fn all<B: Backend>() -> Result<(usize, usize), Error> {
    let (_mm, arena) = Arena::boot::<B>(3, 1, false)?;
    mapper::init(&arena, 2);
    let entries = Entries {
        kernel: &arena.slots[0],
        user: &arena.slots[1],
        kernel_leaf: arena.leaf(0),
        user_leaf: arena.user_leaf(),
    };
    let (mut programs, mut sum) = (0, 0);
    // SAFETY: QEMU has loaded the programs into RAM of the identity map.
    for line in unsafe { random::lines(PROGRAMS) } {
        let (ops, expected) = line.split_once(' ').expect("a program, and what it does");
        let instructions = check::<B>(&entries, ops, expected, Injection::None);
        interrupts::taken();
        mapper::used();
        let disturbed = check::<B>(&entries, ops, expected, Injection::InterruptEverywhere);
        let taken = interrupts::taken();
        assert_eq!((taken, disturbed), (instructions, instructions), "{ops}");
        assert_eq!(mapper::used(), taken);
        programs += 1;
        sum += taken;
    }
    Ok((programs, sum))
}

/// Runs a program with the task's handle, and compares its steps. Returns its instructions.
fn check<B: Backend>(entries: &Entries, ops: &str, expected: &str, injection: Injection) -> usize {
    step::inject_at(injection);
    step::start();
    {
        // SAFETY: this is the only handle of the thread, which drops it before the next.
        let mut task = unsafe { Task::<B>::current() };
        random::run(entries, &mut task, ops);
    }
    let trace = step::stop();
    step::inject_at(Injection::None);
    let letters = trace.steps.iter().map(|step| match step {
        Step::Store => 'S',
        Step::DsbIshst => 'D',
        Step::Isb => 'I',
        _ => '?',
    });
    assert!(
        letters.eq(expected.chars()),
        "{ops}: the model does {expected}, but with {injection:?} the crate does {}",
        Order(trace.steps)
    );
    assert_eq!(B::current().load(), Bits::EMPTY, "{ops}");
    thread_info::check_clear();
    trace.instructions
}
