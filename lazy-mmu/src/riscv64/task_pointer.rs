//! The register of RISC-V in which a kernel keeps the pointer to the current task.

use crate::protocol::place::{TaskPointer, from_register};

/// The task pointer is in `tp` (x4), as in Linux (`get_current`).
///
/// While user code runs, the register is the user's thread pointer. The code that handles a trap
/// from user mode saves it, and loads the task pointer before it uses this crate. Linux swaps it
/// with `sscratch`. A kernel with thread-local variables of the compiler keeps their address in
/// `tp`, so it needs a [`TaskPointer`] of its own, which returns the address of such a variable.
///
/// ```
/// # use core::mem::offset_of;
/// # use core::sync::atomic::{AtomicU8, AtomicU32};
/// use lazy_mmu::riscv64::{ByteAt, Kernel, OneHart, PreemptCountAt, Tp};
///
/// # #[repr(C)]
/// # struct Task {
/// #     preempt_count: AtomicU32,
/// #     lazy_mmu: AtomicU8,
/// # }
/// struct MyKernel;
///
/// // SAFETY: the boot code and each context switch set `tp` to the running task's structure, and
/// // the entry code loads it after a trap from user mode. The other duties are kept as in the
/// // example of `Kernel`.
/// unsafe impl Kernel for MyKernel {
///     type Task = Tp;
///     type Bits = ByteAt<{ offset_of!(Task, lazy_mmu) }>;
///     type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
///     type Harts = OneHart;
/// }
/// ```
///
/// # Panics
///
/// [`current`](TaskPointer::current) panics on an architecture other than RISC-V.
#[derive(Debug)]
#[non_exhaustive]
pub struct Tp;

impl TaskPointer for Tp {
    #[inline]
    fn current() -> *mut u8 {
        from_register(tp())
    }
}

#[cfg(target_arch = "riscv64")]
#[inline]
fn tp() -> u64 {
    let tp;
    // SAFETY: the instruction only copies a register. It is not `pure`, because a context switch
    // changes the register.
    unsafe {
        core::arch::asm!("mv {}, tp", out(reg) tp, options(nomem, nostack, preserves_flags));
    }
    tp
}

#[cfg(not(target_arch = "riscv64"))]
#[inline]
fn tp() -> u64 {
    panic!("`tp` is a register of RISC-V: tests on the host have a `TaskPointer` of their own")
}

#[cfg(all(test, not(target_arch = "riscv64")))]
mod tests {
    use super::{TaskPointer as _, Tp};

    #[test]
    #[should_panic(expected = "tests on the host have a `TaskPointer` of their own")]
    fn a_host_has_no_such_register() {
        Tp::current();
    }
}
