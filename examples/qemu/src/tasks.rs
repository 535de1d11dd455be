//! The registers and the stack in a context switch, wherever a kernel has its bits.

use core::arch::{asm, naked_asm};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use aarch64_cpu::registers::{DAIF, Readable};

/// The pages of a stack.
pub(crate) const STACK_PAGES: usize = 8;

/// The stack of a task or a CPU.
#[derive(Debug)]
pub struct Stack(UnsafeCell<aarch64_rt::Stack<STACK_PAGES>>);

// SAFETY: only one task uses a stack.
unsafe impl Sync for Stack {}

impl Stack {
    /// Returns an empty stack.
    #[expect(clippy::new_without_default, reason = "it is the value of a static")]
    pub const fn new() -> Self {
        Self(UnsafeCell::new(aarch64_rt::Stack::new()))
    }

    pub(crate) fn get(&'static self) -> *mut aarch64_rt::Stack<STACK_PAGES> {
        self.0.get()
    }
}

/// Points to the registers of a task that does not run, which are on its stack.
#[derive(Debug)]
pub struct Context(AtomicUsize);

impl Context {
    /// Returns the context of a task that runs already, or is not [prepared](Self::prepare) yet.
    #[expect(clippy::new_without_default, reason = "it is the value of a static")]
    pub const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Prepares the task to begin with `main`, with interrupts masked, at the first switch to it.
    ///
    /// # Safety
    ///
    /// - The task has not run yet.
    /// - Other code does not use the stack.
    pub unsafe fn prepare(&self, stack: &'static Stack, main: extern "C" fn() -> !) {
        let mut registers = [0; FRAME];
        registers[LINK_REGISTER] = main as *const () as usize;
        // The frame is at the end of the stack, because a stack grows downwards.
        let end = stack.get().wrapping_add(1);
        let frame = end.cast::<[usize; FRAME]>().wrapping_sub(1);
        // SAFETY: the frame is inside the stack, which only the caller uses, as it promises.
        unsafe { frame.write(registers) };
        self.0.store(frame.expose_provenance(), Relaxed);
    }
}

/// Switches the CPU from the running task to the task `to`. Returns when a switch leads back.
///
/// # Safety
///
/// - `from` is the context of the calling task.
/// - `to` is the context of a task that does not run.
/// - Interrupts are masked.
pub unsafe fn switch(from: &Context, to: &Context) {
    // SAFETY: the caller promises the same.
    unsafe { switch_stacks(from.0.as_ptr(), to.0.as_ptr()) };
}

/// Runs `f` with interrupts masked.
pub fn masked<R>(f: impl FnOnce() -> R) -> R {
    let unmasked = !DAIF.is_set(DAIF::I);
    // SAFETY: the instruction masks interrupts, and does not change memory.
    unsafe { asm!("msr daifset, #2", options(nostack, preserves_flags)) };
    let result = f();
    if unmasked {
        unmask();
    }
    result
}

/// Unmasks interrupts.
pub fn unmask() {
    // SAFETY: the program has installed its handlers, and expects interrupts.
    unsafe { asm!("msr daifclr, #2", options(nostack, preserves_flags)) };
}

/// The number of registers in a frame: x19 to x30 and d8 to d15.
const FRAME: usize = 20;
/// The index of x30 among them.
const LINK_REGISTER: usize = 11;

/// Saves the registers that a callee preserves, and loads those of another task.
#[unsafe(naked)]
unsafe extern "C" fn switch_stacks(from: *mut usize, to: *mut usize) {
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
