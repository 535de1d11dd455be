//! The registers in a context switch, and the mask of interrupts.

use core::arch::{asm, naked_asm};

use aarch64_cpu::registers::{DAIF, Readable};

/// Masks interrupts. Returns whether they were unmasked.
pub(crate) fn mask() -> bool {
    let were_unmasked = !DAIF.is_set(DAIF::I);
    // SAFETY: the instruction masks interrupts, and does not change memory.
    unsafe { asm!("msr daifset, #2", options(nostack, preserves_flags)) };
    were_unmasked
}

/// Unmasks interrupts.
pub fn unmask() {
    // SAFETY: the program has installed its handlers, and expects interrupts.
    unsafe { asm!("msr daifclr, #2", options(nostack, preserves_flags)) };
}

/// The number of registers in a frame: x19 to x30 and d8 to d15.
pub(crate) const FRAME: usize = 20;
/// The index of x30 among them.
pub(crate) const RETURN_ADDRESS: usize = 11;

/// Saves the registers that a callee preserves, and loads those of another task.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn switch_stacks(from: *mut usize, to: *mut usize) {
    naked_asm!(
        ".macro frame instruction",
        "\\instruction x19, x20, [sp]",
        "\\instruction x21, x22, [sp, #16]",
        "\\instruction x23, x24, [sp, #32]",
        "\\instruction x25, x26, [sp, #48]",
        "\\instruction x27, x28, [sp, #64]",
        "\\instruction x29, x30, [sp, #80]",
        "\\instruction d8, d9, [sp, #96]",
        "\\instruction d10, d11, [sp, #112]",
        "\\instruction d12, d13, [sp, #128]",
        "\\instruction d14, d15, [sp, #144]",
        ".endm",
        "sub sp, sp, #160",
        "frame stp",
        "mov x9, sp",
        "str x9, [x0]",
        "ldr x9, [x1]",
        "mov sp, x9",
        "frame ldp",
        "add sp, sp, #160",
        ".purgem frame",
        "ret",
    )
}
