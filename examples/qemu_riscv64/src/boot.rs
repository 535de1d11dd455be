//! The code before a program: its entry point, and the panic handler.

use core::arch::naked_asm;
use core::panic::PanicInfo;
use core::sync::atomic::AtomicU32;

use lazy_mmu::riscv64::Mode;
use semihosting::{eprintln, process};

use crate::hart::HARTS;
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

static STACKS: [Stack; HARTS] = [const { Stack::new() }; HARTS];
/// Whether a hart has entered the image.
static IS_ENTERED: AtomicU32 = AtomicU32::new(0);

unsafe extern "Rust" {
    /// The program's `main`, which [`program!`](crate::program!) makes.
    safe fn lazy_mmu_main() -> !;
}

/// The first instructions of each hart.
///
/// The firmware passes the number of the hart in `a0`. QEMU has filled `.bss` with zeros. The stack
/// pointer is set first, because the trampolines of the observer store below it.
///
/// The first hart that comes here runs the program. The others come here because the program starts
/// them. OpenSBI 1.1 marks a hart as started before it stores where the hart begins, and a hart
/// that is late then begins at the entry point of the image, which is this function too.
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.start")]
pub(crate) extern "C" fn start(hart: usize) -> ! {
    naked_asm!(
        // The assembler of a naked function does not know the target's extensions.
        ".option push",
        ".option arch, +m, +a",
        "la sp, {stacks}",
        "li t0, {size}",
        "addi t1, a0, 1",
        "mul t0, t0, t1",
        "add sp, sp, t0",
        "la t0, {is_entered}",
        "li t1, 1",
        "amoswap.w t1, t1, (t0)",
        ".option pop",
        "beqz t1, 1f",
        "j {other}",
        "1: j {main}",
        stacks = sym STACKS,
        size = const STACK_SIZE,
        is_entered = sym IS_ENTERED,
        other = sym smp::main,
        main = sym main,
    )
}

const _: () = assert!(
    size_of::<Stack>() == STACK_SIZE,
    "`start` computes the end of a stack"
);

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
