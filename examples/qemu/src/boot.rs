//! The code before a program: the identity map of the image. It has the panic handler too.

use core::panic::PanicInfo;

use aarch64_cpu::registers::{CurrentEL, Readable};
use aarch64_rt::{InitialPagetable, initial_pagetable};
use lazy_mmu::aarch64::Granule;
#[cfg(feature = "el2")]
use lazy_mmu::aarch64::descriptor::{EL2_DATA as DATA, UXN as EXECUTE_NEVER};
#[cfg(not(feature = "el2"))]
use lazy_mmu::aarch64::descriptor::{KERNEL_DATA as DATA, PXN as EXECUTE_NEVER};
use lazy_mmu::aarch64::descriptor::{KernelLeaf, memory_type};
use semihosting::{eprintln, process};

use crate::{program, thread};

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

/// Prepares the CPU, and compares the Exception level with the first word of the command line,
/// `el1` or `el2`. A machine without EL2 would otherwise pass for one with it.
pub(crate) fn init() {
    thread::init();
    let level = CurrentEL.read(CurrentEL::EL);
    program::with_word(0, |word| match word {
        Some("el1") => assert_eq!(level, 1, "the Exception level"),
        Some("el2") => assert_eq!(level, 2, "the Exception level"),
        other => panic!("the first word is {other:?}, neither el1 nor el2"),
    });
}

/// Device memory, which is in byte 0 of `aarch64-rt`'s MAIR. The block has the UART, for example.
/// The programs do not use it, because they print by semihosting.
const DEVICE: u64 = DATA | memory_type(0);

/// Data in normal memory with write-back caches, which is in byte 1 of `aarch64-rt`'s MAIR.
pub const NORMAL: u64 = DATA | memory_type(1);

/// Returns the descriptor of a block of 1 GiB.
#[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits")]
const fn block(address: u64, attributes: u64) -> usize {
    match KernelLeaf::new(Granule::Kib4, 1, address, attributes) {
        Ok(KernelLeaf(bits)) => bits as usize,
        Err(_) => panic!("the address is not that of a block, or the attributes are not a block's"),
    }
}

initial_pagetable!({
    let mut blocks = [0; 512];
    blocks[0] = block(0, DEVICE);
    blocks[1] = block(0x4000_0000, NORMAL & !EXECUTE_NEVER);
    InitialPagetable(blocks)
});

#[cfg(not(feature = "el2"))]
mod start {
    use core::arch::naked_asm;

    unsafe extern "C" {
        /// The first instruction of `aarch64-rt`.
        fn entry();
    }

    /// The first instructions of the image.
    ///
    /// If the machine starts the kernel at EL2, the kernel continues as a host with FEAT_VHE. With
    /// HCR_EL2.{E2H, TGE} set, the names of EL1's registers and TLB instructions mean those of EL2
    /// (Arm ARM DDI 0487, "Virtualization Host Extensions").
    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    #[unsafe(link_section = ".init.start")]
    extern "C" fn start() {
        naked_asm!(
            "mrs x9, CurrentEL",
            "cmp x9, #(2 << 2)",
            "b.ne 1f",
            // The bits RW, E2H and TGE.
            "mov x9, #(1 << 31)",
            "orr x9, x9, #(1 << 34)",
            "orr x9, x9, #(1 << 27)",
            "msr hcr_el2, x9",
            "isb",
            "1: b {entry}",
            entry = sym entry,
        )
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    crate::step::mask();
    eprintln!("{info}");
    process::exit(1);
}
