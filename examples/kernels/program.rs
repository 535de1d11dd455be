//! The beginning and the end of each program.

use core::fmt::Display;

use semihosting::{eprintln, process};

use crate::boot;

/// Runs `program`, and exits with 0. If it fails, prints its error and exits with 1.
pub fn run<E: Display>(program: impl FnOnce() -> Result<(), E>) -> ! {
    boot::init();
    match program() {
        Ok(()) => process::exit(0),
        Err(error) => {
            eprintln!("error: {error}");
            process::exit(1);
        }
    }
}

/// Passes word `position` of the command line, counted from 0, to `f`. The word may be missing.
pub fn with_word<R>(position: usize, f: impl FnOnce(Option<&str>) -> R) -> R {
    let words = semihosting::experimental::env::args::<256>().expect("QEMU passes a command line");
    let word = (&words).into_iter().nth(position);
    f(word.map(|it| it.expect("it is UTF-8")))
}

/// Returns the number in word `position` of the command line, counted from 0. If the word is
/// missing, returns `default`.
pub fn number(position: usize, default: usize) -> usize {
    with_word(position, |word| {
        let number = |it: &str| it.parse().ok();
        word.map_or(Some(default), number)
            .unwrap_or_else(|| panic!("word {position} of the command line must be a number"))
    })
}
