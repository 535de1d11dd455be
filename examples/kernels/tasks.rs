//! The stack and the registers in a context switch, wherever a kernel has its bits.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub use crate::registers::unmask;
use crate::registers::{self, FRAME, RETURN_ADDRESS};

/// The pages of a stack.
pub const STACK_PAGES: usize = 16;
/// The bytes of a stack.
pub const STACK_SIZE: usize = STACK_PAGES * 4096;

/// The stack of a task or a CPU.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Stack(UnsafeCell<MaybeUninit<[u8; STACK_SIZE]>>);

// SAFETY: only the task or the CPU that runs on the stack accesses it.
unsafe impl Sync for Stack {}

impl Stack {
    /// Returns an empty stack.
    #[expect(clippy::new_without_default, reason = "it is the value of a static")]
    pub const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Returns the address behind the stack, which grows downwards.
    pub fn top(&'static self) -> usize {
        self.0.get().expose_provenance() + STACK_SIZE
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
    /// - `top` is the end of a stack, a multiple of 16, that other code does not use.
    pub unsafe fn prepare(&self, top: usize, main: extern "C" fn() -> !) {
        let mut registers = [0; FRAME];
        registers[RETURN_ADDRESS] = main as *const () as usize;
        let address = top - size_of_val(&registers);
        let frame: *mut [usize; FRAME] = with_exposed_provenance_mut(address);
        // SAFETY: the frame is inside the stack, which only the caller uses, as it promises.
        unsafe { frame.write(registers) };
        self.0.store(address, Relaxed);
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
    unsafe { registers::switch_stacks(from.0.as_ptr(), to.0.as_ptr()) };
}

/// Runs `f` with interrupts masked.
pub fn masked<R>(f: impl FnOnce() -> R) -> R {
    let were_unmasked = registers::mask();
    let result = f();
    if were_unmasked {
        unmask();
    }
    result
}
