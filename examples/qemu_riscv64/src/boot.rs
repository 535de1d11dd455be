//! The code before `main`: the stacks of the harts, and the panic handler.

use core::arch::naked_asm;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use semihosting::{eprintln, process};

/// The bytes of a stack.
pub const STACK_SIZE: usize = 64 * 1024;

/// The stack of a hart or a thread.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Stack(UnsafeCell<MaybeUninit<[u8; STACK_SIZE]>>);

// SAFETY: only the hart or the thread that runs on the stack accesses it.
unsafe impl Sync for Stack {}

impl Stack {
    /// Returns a stack for a static.
    #[expect(clippy::new_without_default, reason = "it is the value of a static")]
    pub const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Returns the address behind the stack, with which a hart begins.
    pub fn top(&'static self) -> usize {
        self.0.get().expose_provenance() + STACK_SIZE
    }
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
    crate::smp::init(hart);
    crate::traps::init();
    lazy_mmu_main()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    riscv::interrupt::disable();
    eprintln!("{info}");
    process::exit(1);
}
