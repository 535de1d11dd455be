//! The registers and the stack in a context switch.

use core::arch::naked_asm;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use riscv::register::sstatus;

/// Points to the registers of a task that does not run, which are on its stack.
#[derive(Debug)]
pub struct Context(AtomicUsize);

impl Context {
    pub(crate) const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Prepares the task to begin with `main`, with interrupts masked, at the first switch to it.
    ///
    /// # Safety
    ///
    /// - The task has not run yet.
    /// - `top` is the end of a stack, a multiple of 16, that other code does not use.
    pub(crate) unsafe fn prepare(&self, top: usize, main: extern "C" fn() -> !) {
        let mut registers = [0; FRAME];
        registers[RETURN_ADDRESS] = main as *const () as usize;
        // The frame is at the end of the stack, because a stack grows downwards.
        let address = top - size_of_val(&registers);
        let frame: *mut [usize; FRAME] = with_exposed_provenance_mut(address);
        // SAFETY: the frame is inside the stack, which only the caller uses, as it promises.
        unsafe { frame.write(registers) };
        self.0.store(address, Relaxed);
    }
}

/// Switches the hart from the running task to the task `to`. Returns when a switch leads back.
///
/// # Safety
///
/// - `from` is the context of the calling task.
/// - `to` is the context of a task that does not run.
/// - Interrupts are masked.
pub(crate) unsafe fn switch(from: &Context, to: &Context) {
    // SAFETY: the caller promises the same.
    unsafe { switch_stacks(from.0.as_ptr(), to.0.as_ptr()) };
}

/// Runs `f` with interrupts masked.
pub fn masked<R>(f: impl FnOnce() -> R) -> R {
    let unmasked = sstatus::read().sie();
    riscv::interrupt::disable();
    let result = f();
    if unmasked {
        unmask();
    }
    result
}

/// Unmasks interrupts.
pub(crate) fn unmask() {
    // SAFETY: the program has installed its handlers, and expects interrupts.
    unsafe { riscv::interrupt::enable() };
}

/// The number of registers in a frame: ra and s0 to s11. It is even, because the stack pointer is a
/// multiple of 16.
const FRAME: usize = 14;
/// The index of ra among them.
const RETURN_ADDRESS: usize = 0;

/// Saves the registers that a callee preserves, and loads those of another task.
#[unsafe(naked)]
unsafe extern "C" fn switch_stacks(from: *mut usize, to: *mut usize) {
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
