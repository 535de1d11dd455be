//! The registers in a context switch, and the mask of interrupts.

use core::arch::naked_asm;

use riscv::register::sstatus;

/// Masks interrupts. Returns whether they were unmasked.
pub(crate) fn mask() -> bool {
    let were_unmasked = sstatus::read().sie();
    riscv::interrupt::disable();
    were_unmasked
}

/// Unmasks interrupts.
pub fn unmask() {
    // SAFETY: the program has installed its handlers, and expects interrupts.
    unsafe { riscv::interrupt::enable() };
}

/// The number of registers in a frame: ra and s0 to s11. It is even, because the stack pointer is a
/// multiple of 16.
pub(crate) const FRAME: usize = 14;
/// The index of ra among them.
pub(crate) const RETURN_ADDRESS: usize = 0;

/// Saves the registers that a callee preserves, and loads those of another task.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn switch_stacks(from: *mut usize, to: *mut usize) {
    naked_asm!(
        ".macro frame instruction",
        "\\instruction ra, 0(sp)",
        ".irp number, 0,1,2,3,4,5,6,7,8,9,10,11",
        "\\instruction s\\number, 8+8*\\number(sp)",
        ".endr",
        ".endm",
        "addi sp, sp, -{size}",
        "frame sd",
        "sd sp, 0(a0)",
        "ld sp, 0(a1)",
        "frame ld",
        "addi sp, sp, {size}",
        ".purgem frame",
        "ret",
        size = const 8 * FRAME,
    )
}
