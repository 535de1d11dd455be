//! Behaviours S18 and S27: well-nested programs of enter, join, store, flush, pause, resume, leave,
//! forget and interrupt.
//!
//! Each program runs on the crate, and on a reference model that was written independently. Both
//! traces must be the same, every store must have its pair, and the mode must be off at the end.
//! `program` defines the programs, `machine` runs them on the crate, and `reference` on the model.
#![cfg(not(miri))]

mod machine;

use std::cell::Cell;
use std::io::{Write, stderr};

use lazy_mmu::sim::{Sim, SimOwnByte};
use lazy_mmu_testing::program::{self, Op, word};
use lazy_mmu_testing::reference;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Runs `program` on the crate, with both storages of the bits, and on the model, and compares.
fn check(program: &[Op]) -> Result<(), String> {
    let expected = reference::run(program);
    for (storage, trace) in [
        ("shared word", machine::run::<Sim>(program)),
        ("own byte", machine::run::<SimOwnByte>(program)),
    ] {
        let word = || word(program);
        let trace = trace.map_err(|error| format!("{}: {storage}: {error}", word()))?;
        if trace != expected {
            return Err(format!(
                "{}: {storage}\n  the crate: {trace}\n  the model: {expected}",
                word()
            ));
        }
    }
    Ok(())
}

#[test]
fn s18_random_programs_give_the_trace_of_the_reference_model() {
    /// `cargo xtask verify` sets a larger number.
    const AT_LEAST: u32 = 10_000;
    let cases = std::env::var("LAZY_MMU_RANDOM_PROGRAMS").map_or(AT_LEAST, |it| {
        it.parse()
            .expect("LAZY_MMU_RANDOM_PROGRAMS must be a number")
    });
    let programs = Cell::new(0);
    let longest = Cell::new(0);
    let deepest = Cell::new(0);
    let mut runner = TestRunner::new(Config {
        cases: cases.max(AT_LEAST),
        // The strategy rejects programs of more than 200 operations.
        max_local_rejects: u32::MAX,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&program::random(), |ops| {
        programs.set(programs.get() + 1);
        longest.set(longest.get().max(program::length(&ops)));
        deepest.set(deepest.get().max(program::depth(&ops)));
        check(&ops).map_err(TestCaseError::fail)
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let (programs, longest, deepest) = (programs.get(), longest.get(), deepest.get());
    assert!(
        programs >= cases.max(AT_LEAST) && longest > 100 && deepest == 8,
        "{programs} programs, {longest} long, {deepest} deep: too few, short or flat"
    );
    say(&format!(
        "S18: {programs} random programs, up to {longest} operations long and {deepest} deep"
    ));
}

#[test]
fn s18_all_programs_up_to_eight_operations() {
    let programs = check_all(|check| program::all(8, check));
    say(&format!(
        "S18: all {programs} programs of up to 8 operations"
    ));
}

/// These programs are shorter, because joins multiply the number of programs of a length.
#[test]
fn s18_s27_all_programs_with_a_joined_section_up_to_seven_operations() {
    let programs = check_all(|check| program::all_with_join(7, check));
    say(&format!(
        "S27: all {programs} programs of up to 7 operations with a joined section"
    ));
}

/// Checks the programs that `all` enumerates. Returns their number.
fn check_all(all: impl FnOnce(&mut dyn FnMut(&[Op]))) -> usize {
    let mut programs = 0;
    all(&mut |ops| {
        programs += 1;
        check(ops).unwrap_or_else(|error| panic!("{error}"));
    });
    programs
}

/// Prints `line` without the capture of the test harness, because the numbers are results.
fn say(line: &str) {
    writeln!(stderr(), "{line}").expect("cannot write to stderr");
}
