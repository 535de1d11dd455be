//! The part of a context switch that does not depend on where the kernel keeps anything: the
//! registers and the stack.

use core::arch::{asm, naked_asm};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};

/// A task's stack.
#[repr(C, align(16))]
pub struct Stack(UnsafeCell<[usize; 2048]>);

// SAFETY: a stack is its task's alone.
unsafe impl Sync for Stack {}

impl Stack {
    /// An empty one.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is the value of a static")]
    pub const fn new() -> Self {
        Self(UnsafeCell::new([0; 2048]))
    }
}

/// The registers of a task that does not run: they are on its stack, and this points to them.
pub struct Context(AtomicUsize);

impl Context {
    /// That of a task which runs already, or is not [prepared](Self::prepare) yet.
    #[must_use]
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
        let frame = stack.0.get().cast::<[usize; FRAME]>();
        // The frame is at the end, because a stack grows downwards.
        let frame = frame.wrapping_byte_add(size_of::<Stack>() - size_of::<[usize; FRAME]>());
        // SAFETY: it is inside the stack, which nobody uses yet, as the caller promises.
        unsafe { frame.write(registers) };
        self.0.store(frame.expose_provenance(), Ordering::Relaxed);
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
pub fn masked(f: impl FnOnce()) {
    // SAFETY: masking interrupts changes no memory.
    unsafe { asm!("msr daifset, #2", options(nostack, preserves_flags)) };
    f();
    unmask();
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
        "sub sp, sp, #160",
        "stp x19, x20, [sp]",
        "stp x21, x22, [sp, #16]",
        "stp x23, x24, [sp, #32]",
        "stp x25, x26, [sp, #48]",
        "stp x27, x28, [sp, #64]",
        "stp x29, x30, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "mov x9, sp",
        "str x9, [x0]",
        "ldr x9, [x1]",
        "mov sp, x9",
        "ldp x19, x20, [sp]",
        "ldp x21, x22, [sp, #16]",
        "ldp x23, x24, [sp, #32]",
        "ldp x25, x26, [sp, #48]",
        "ldp x27, x28, [sp, #64]",
        "ldp x29, x30, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "add sp, sp, #160",
        "ret",
    )
}
