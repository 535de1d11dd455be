//! The beginning and the end of each program.

use core::fmt::Display;

use lazy_mmu::riscv64::Mode;
use semihosting::{eprintln, process};

use crate::{smp, upper};

/// Makes the given function the program's `main`. It returns `Result<(), impl Display>`.
#[macro_export]
macro_rules! program {
    ($run:expr) => {
        #[unsafe(no_mangle)]
        fn lazy_mmu_main() -> ! {
            $crate::program::run($run)
        }
    };
}

/// Runs `program` after the start of all harts, and exits with 0. If it fails, prints its error and
/// exits with 1.
///
/// The first word of the command line is the mode: `sv39` or `sv48`.
pub fn run<E: Display>(program: impl FnOnce() -> Result<(), E>) -> ! {
    upper::init(with_word(0, |word| match word {
        Some("sv39") => Mode::Sv39,
        Some("sv48") => Mode::Sv48,
        other => panic!("the first word is {other:?}, neither sv39 nor sv48"),
    }));
    smp::start();
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
