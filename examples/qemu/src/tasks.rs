//! The part of a context switch that does not depend on where a kernel keeps anything: the
//! registers and the stack.

use core::arch::{asm, naked_asm};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use aarch64_cpu::registers::{DAIF, Readable};

/// The pages of a stack.
pub(crate) const STACK_PAGES: usize = 8;

/// The stack of a task, or of a CPU.
#[derive(Debug)]
pub struct Stack(UnsafeCell<aarch64_rt::Stack<STACK_PAGES>>);

// SAFETY: a stack belongs to one task.
unsafe impl Sync for Stack {}

impl Stack {
    /// An empty one.
    #[expect(clippy::new_without_default, reason = "it is the value of a static")]
    pub const fn new() -> Self {
        Self(UnsafeCell::new(aarch64_rt::Stack::new()))
    }

    pub(crate) fn get(&'static self) -> *mut aarch64_rt::Stack<STACK_PAGES> {
        self.0.get()
    }
}

/// The registers of a task that does not run: they are on its stack, and this points to them.
#[derive(Debug)]
pub struct Context(AtomicUsize);

impl Context {
    /// The context of a task which runs already, or is not [prepared](Self::prepare) yet.
    #[expect(clippy::new_without_default, reason = "it is the value of a static")]
    pub const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Lets the task begin with `main` when the first switch leads to it, with interrupts masked.
    ///
    /// # Safety
    ///
    /// The task has not run yet, and nobody else has the stack.
    pub unsafe fn prepare(&self, stack: &'static Stack, main: extern "C" fn() -> !) {
        let mut registers = [0; FRAME];
        registers[LINK_REGISTER] = main as *const () as usize;
        // The frame is at the end, because a stack grows downwards.
        let end = stack.get().wrapping_add(1);
        let frame = end.cast::<[usize; FRAME]>().wrapping_sub(1);
        // SAFETY: it is inside the stack, which nobody uses yet, as the caller promises.
        unsafe { frame.write(registers) };
        self.0.store(frame.expose_provenance(), Relaxed);
    }
}

/// Gives the CPU from the task `from`, which runs, to the task `to`. Returns when a switch leads
/// back.
///
/// # Safety
///
/// `from` is the context of the task that calls, and `to` that of a task which does not run.
/// Interrupts are masked.
pub unsafe fn switch(from: &Context, to: &Context) {
    // SAFETY: the caller promises it.
    unsafe { switch_stacks(from.0.as_ptr(), to.0.as_ptr()) };
}

/// Runs `f` with interrupts masked.
pub fn masked<R>(f: impl FnOnce() -> R) -> R {
    let unmasked = !DAIF.is_set(DAIF::I);
    // SAFETY: masking interrupts changes no memory.
    unsafe { asm!("msr daifset, #2", options(nostack, preserves_flags)) };
    let result = f();
    if unmasked {
        unmask();
    }
    result
}

/// Unmasks interrupts.
pub fn unmask() {
    // SAFETY: the handlers are those of the program, which expects interrupts.
    unsafe { asm!("msr daifclr, #2", options(nostack, preserves_flags)) };
}

/// Registers in a frame: x19 to x30, d8 to d15.
const FRAME: usize = 20;
/// x30 among them.
const LINK_REGISTER: usize = 11;

/// Saves what the callee of a function saves, and loads the same of another task.
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
