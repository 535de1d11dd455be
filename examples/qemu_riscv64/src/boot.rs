//! The code before a program: its entry point, and the panic handler.

use core::arch::naked_asm;
use core::panic::PanicInfo;

use lazy_mmu::riscv64::Mode;
use semihosting::{eprintln, process};

use crate::tasks::{STACK_SIZE, Stack};
use crate::{program, smp, traps, upper};

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

/// Starts all harts. The first word of the command line is the mode: `sv39` or `sv48`.
pub(crate) fn init() {
    upper::init(program::with_word(0, |word| match word {
        Some("sv39") => Mode::Sv39,
        Some("sv48") => Mode::Sv48,
        other => panic!("the first word is {other:?}, neither sv39 nor sv48"),
    }));
    smp::start();
}

static STACK: Stack = Stack::new();

unsafe extern "Rust" {
    /// The program's `main`, which [`program!`](crate::program!) makes.
    safe fn lazy_mmu_main() -> !;
}

/// The first instructions of the image.
///
/// The firmware passes the number of the hart in `a0`. QEMU has filled `.bss` with zeros. The stack
/// pointer is set first, because the trampolines of the observer store below it.
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.start")]
extern "C" fn start(hart: usize) -> ! {
    naked_asm!(
        "la sp, {stack}",
        "li t0, {size}",
        "add sp, sp, t0",
        "j {main}",
        stack = sym STACK,
        size = const STACK_SIZE,
        main = sym main,
    )
}

extern "C" fn main(hart: usize) -> ! {
    smp::init(hart);
    traps::init();
    lazy_mmu_main()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    riscv::interrupt::disable();
    eprintln!("{info}");
    process::exit(1);
}
