//! The beginning and the end of each program.

use core::fmt::Display;

use aarch64_cpu::registers::{CurrentEL, Readable};
use semihosting::{eprintln, process};

use crate::thread;

/// Makes the given function the program's `main`, and installs the handlers of
/// [`Exceptions`](crate::exceptions::Exceptions). The function returns `Result<(), impl Display>`.
#[macro_export]
macro_rules! program {
    ($run:expr) => {
        $crate::aarch64_rt::entry!(main, 40);
        $crate::aarch64_rt::exception_handlers!($crate::exceptions::Exceptions);

        fn main(_: u64, _: u64, _: u64, _: u64) -> ! {
            $crate::program::run($run)
        }
    };
}

/// Runs `program`, and exits with 0. If it fails, prints its error and exits with 1.
pub fn run<E: Display>(program: impl FnOnce() -> Result<(), E>) -> ! {
    thread::init();
    check_level();
    match program() {
        Ok(()) => process::exit(0),
        Err(error) => {
            eprintln!("error: {error}");
            process::exit(1);
        }
    }
}

/// Compares the Exception level with the first word of the command line, `el1` or `el2`. A machine
/// without EL2 would otherwise pass for one with it.
fn check_level() {
    let words = semihosting::experimental::env::args::<256>().expect("QEMU passes a command line");
    let name = words.into_iter().next().expect("the first word");
    let level = CurrentEL.read(CurrentEL::EL);
    match name.expect("it is UTF-8") {
        "el1" => assert_eq!(level, 1, "the Exception level"),
        "el2" => assert_eq!(level, 2, "the Exception level"),
        other => panic!("the first word is {other}, neither el1 nor el2"),
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
