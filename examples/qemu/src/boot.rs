//! What stands before `main`: the identity map for the image, the panic handler.

use core::arch::naked_asm;
use core::panic::PanicInfo;

use aarch64_paging::descriptor::El1Attributes as Attributes;
use aarch64_rt::{InitialPagetable, initial_pagetable};
use semihosting::{eprintln, process};

/// The UART and its like, which no program here uses: semihosting prints.
const DEVICE: Attributes = Attributes::VALID
    .union(Attributes::ATTRIBUTE_INDEX_0)
    .union(Attributes::ACCESSED)
    .union(Attributes::PXN)
    .union(Attributes::UXN);

/// The RAM. Attribute index 1 of `aarch64-rt`'s MAIR is normal memory, write-back.
const MEMORY: Attributes = Attributes::VALID
    .union(Attributes::ATTRIBUTE_INDEX_1)
    .union(Attributes::INNER_SHAREABLE)
    .union(Attributes::ACCESSED)
    .union(UNPRIVILEGED_EXECUTE_NEVER);

/// The image is not executed at EL0. In the EL2 regime the bit is XN, and the image is executed.
const UNPRIVILEGED_EXECUTE_NEVER: Attributes = if cfg!(feature = "el2") {
    Attributes::empty()
} else {
    Attributes::UXN
};

initial_pagetable!({
    let mut blocks = [0; 512];
    // 1 GiB each.
    blocks[0] = DEVICE.bits();
    blocks[1] = 0x4000_0000 | MEMORY.bits();
    InitialPagetable(blocks)
});

unsafe extern "C" {
    /// Where `aarch64-rt` begins.
    fn entry();
}

/// The first instructions of the program that stays at EL2 without FEAT_VHE: debug exceptions go there (MDCR_EL2.TDE).
#[cfg(feature = "el2")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".init.start")]
extern "C" fn start() {
    naked_asm!(
        "mov x9, #(1 << 8)",
        "msr mdcr_el2, x9",
        "isb",
        "b {entry}",
        entry = sym entry,
    )
}

/// The first instructions. Where the machine starts the kernel at EL2, it goes on as a host with FEAT_VHE: with
/// HCR_EL2.{E2H, TGE} set, the registers and TLB instructions of EL1 mean those of EL2 (Arm ARM DDI 0487, "Virtualization
/// Host Extensions").
#[cfg(not(feature = "el2"))]
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".init.start")]
extern "C" fn start() {
    naked_asm!(
        "mrs x9, CurrentEL",
        "cmp x9, #(2 << 2)",
        "b.ne 1f",
        // RW, E2H, TGE.
        "mov x9, #(1 << 31)",
        "orr x9, x9, #(1 << 34)",
        "orr x9, x9, #(1 << 27)",
        "msr hcr_el2, x9",
        "isb",
        "1: b {entry}",
        entry = sym entry,
    )
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    crate::step::mask();
    eprintln!("{info}");
    process::exit(1);
}
