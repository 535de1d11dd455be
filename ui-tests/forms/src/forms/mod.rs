//! Forms of functions. Each is put into a section by the feature `section`, gives a text, and must give the same without.
//!
//! `ui-tests/tests/forms.rs` builds and runs them, and compares.

mod attributes;
mod bodies;
mod drops;
mod functions;
mod generics;
mod methods;
mod names;
mod parameters;
mod ways_out;

use std::cell::Cell;
use std::panic::Location;

use lazy_mmu::sim::{Event, Sim, bits, take_trace};
use lazy_mmu::{Bits, Global};

lazy_mmu::set_global_backend!(Sim);

/// A form's name, and what runs it.
pub(crate) type Form = (&'static str, fn() -> String);

/// What the bodies do to the page tables.
pub(crate) fn store() {
    lazy_mmu::note_store::<Global>();
}

/// Debug output, shorter at the many places.
pub(crate) fn show(value: impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

/// The line of the last panic.
pub(crate) fn panicked_at() -> u32 {
    PANICKED_AT.get()
}

thread_local! {
    static PANICKED_AT: Cell<u32> = const { Cell::new(0) };
}

/// Runs every form, prints its result, and checks that it ran in a section exactly if it should.
pub(crate) fn run(more: &[&[Form]]) {
    // The forms that panic mean to.
    std::panic::set_hook(Box::new(|info| {
        PANICKED_AT.set(info.location().map_or(0, Location::line));
    }));
    let all = [
        attributes::FORMS,
        bodies::FORMS,
        drops::FORMS,
        functions::FORMS,
        generics::FORMS,
        methods::FORMS,
        names::FORMS,
        parameters::FORMS,
        ways_out::FORMS,
    ];
    let mut wrong = 0;
    for &(name, form) in all.iter().chain(more).copied().flatten() {
        let result = form();
        let trace = take_trace();
        let enters = trace
            .iter()
            .filter(|it| matches!(it, Event::Enter(_)))
            .count();
        let leaves = trace
            .iter()
            .filter(|it| matches!(it, Event::Leave(_)))
            .count();
        println!("{name}: {result}");
        let right = if cfg!(feature = "section") {
            enters > 0
        } else {
            enters == 0
        };
        if !right || enters != leaves || bits::<Sim>() != Bits::EMPTY {
            eprintln!("{name}: {trace:?}");
            wrong += 1;
        }
    }
    assert_eq!(
        wrong, 0,
        "forms without a section, or with one that is still open"
    );
}
