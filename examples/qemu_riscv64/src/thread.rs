//! The threads of these kernels, which `tp` points to, and the backends that read them. Only
//! programs with a [scheduler](crate::scheduler) have more than one for each hart.

use core::arch::asm;
use core::mem::offset_of;

use lazy_mmu::riscv64::{ByteAt, FlagsAt, Kernel, PreemptCountAt, Riscv64, TaskPointer as _, Tp};

use crate::policy::OtherHarts;
use crate::thread_info::{INTERRUPT_MASK, ThreadInfo};

/// The number of task pointers.
pub const POINTERS: usize = 1;

/// Loads the task pointer.
pub(crate) fn load_pointers([tp]: [usize; POINTERS]) {
    // SAFETY: the compiler does not use the register, because the kernels do not have thread-local
    // variables.
    unsafe { asm!("mv tp, {}", in(reg) tp, options(nomem, nostack, preserves_flags)) };
}

/// Returns the task pointer.
pub(crate) fn pointers() -> [usize; POINTERS] {
    [Tp::current().addr()]
}

/// The kernel whose bits are in a flags word.
#[derive(Debug)]
pub struct Flags;

// SAFETY: before its first store to a table, each hart has set `tp` to its thread, which lives
// forever. Other code does not write to flags 28 to 31. The preempt count is Linux's. The
// scheduler's lock orders the stores of a thread that migrates. `OtherHarts` reaches all harts. An
// access to a user's page fences after a fault.
unsafe impl Kernel for Flags {
    type Task = Tp;
    type Bits = FlagsAt<{ offset_of!(ThreadInfo, flags) }, 28>;
    type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, INTERRUPT_MASK>;
    type Harts = OtherHarts;
}

/// The kernel whose bits are in a byte, on harts with Svinval.
#[derive(Debug)]
pub struct Byte;

// SAFETY: as above. Other code does not write to the byte. QEMU's harts have Svinval, because the
// command that starts it says so.
unsafe impl Kernel for Byte {
    type Task = Tp;
    type Bits = ByteAt<{ offset_of!(ThreadInfo, lazy_mmu) }>;
    type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, INTERRUPT_MASK>;
    type Harts = OtherHarts;

    const HAS_SVINVAL: bool = true;
}

/// The backend of [`Flags`].
pub type Mmu = Riscv64<Flags>;
/// The backend of [`Byte`].
pub type ByteMmu = Riscv64<Byte>;
