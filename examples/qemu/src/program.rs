//! What every program begins and ends with.

use core::fmt::Display;

use aarch64_cpu::registers::{CurrentEL, Readable};
use semihosting::{eprintln, process};

use crate::thread;

/// Says that the program's `main` is this function, which returns `Result<(), impl Display>`, and
/// its exceptions' handlers are [`Exceptions`](crate::exceptions::Exceptions).
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

/// Runs `program`, and ends with 0, or with its error and 1.
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

/// The first word of the command line is `el1` or `el2`: so that a machine without EL2 is not taken for one.
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

/// The number that is word `position` of the command line, counted from 0; `default`, if there are
/// not so many words.
pub fn number(position: usize, default: usize) -> usize {
    let words = semihosting::experimental::env::args::<256>().expect("QEMU passes a command line");
    let word = (&words).into_iter().nth(position);
    word.map_or(default, |it| {
        let number = it.ok().and_then(|it| it.parse().ok());
        number.unwrap_or_else(|| panic!("word {position} of the command line is to be a number"))
    })
}
