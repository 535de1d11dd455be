//! The threads of these kernels, which SP_EL0 and TPIDR_EL1 point to, and the backends that read
//! them. Only programs with a [scheduler](crate::scheduler) have more than one thread.

use core::mem::offset_of;

use aarch64_cpu::registers::{Readable, SP_EL0, TPIDR_EL1, Writeable};
use lazy_mmu::Backend;
use lazy_mmu::aarch64::{Aarch64, ByteAt, FlagsAt, Kernel, PreemptCountAt, SpEl0, TpidrEl1};

use crate::thread_info::{INTERRUPT_MASK, ThreadInfo, set_current};

/// The number of task pointers: SP_EL0 and TPIDR_EL1.
pub const POINTERS: usize = 2;

/// The structure of the only thread, for the backend that finds it through SP_EL0.
pub static THREAD: ThreadInfo = ThreadInfo::new();

/// The structure of the same thread, for the backend that finds it through TPIDR_EL1. It is a
/// second structure, because a backend that reads the wrong register then fails.
pub static OTHER_THREAD: ThreadInfo = ThreadInfo::new();

/// Loads the task pointers of the only thread.
pub fn init() {
    set_current([&THREAD, &OTHER_THREAD]);
}

/// Loads the task pointers.
pub(crate) fn load_pointers([sp_el0, tpidr_el1]: [usize; POINTERS]) {
    SP_EL0.set(sp_el0 as u64);
    TPIDR_EL1.set(tpidr_el1 as u64);
}

/// Returns the task pointers.
#[expect(
    clippy::cast_possible_truncation,
    reason = "an address has the width of usize on aarch64"
)]
pub(crate) fn pointers() -> [usize; POINTERS] {
    [SP_EL0.get(), TPIDR_EL1.get()].map(|it| it as usize)
}

/// The kernel whose bits are in a flags word, found through SP_EL0.
#[derive(Debug)]
pub struct Flags;

// SAFETY: after `init`, SP_EL0 points to the thread's `ThreadInfo`, and the thread lives forever.
// Other code does not write to flags 28 to 31. The preempt count is Linux's. A scheduler executes
// `dsb ish` and `isb` at a context switch.
unsafe impl Kernel for Flags {
    type Task = SpEl0;
    type Bits = FlagsAt<{ offset_of!(ThreadInfo, flags) }, 28>;
    type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, INTERRUPT_MASK>;
}

/// The kernel whose bits are in a byte, found through TPIDR_EL1.
#[derive(Debug)]
pub struct Byte;

// SAFETY: as above, with TPIDR_EL1. Other code does not write to the byte.
unsafe impl Kernel for Byte {
    type Task = TpidrEl1;
    type Bits = ByteAt<{ offset_of!(ThreadInfo, lazy_mmu) }>;
    type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, INTERRUPT_MASK>;
}

/// The backend of [`Flags`].
pub type Mmu = Aarch64<Flags>;
/// The backend of [`Byte`].
pub type ByteMmu = Aarch64<Byte>;

/// A backend whose bits are in the only thread's [`ThreadInfo`].
pub trait Place: Backend {
    /// The place of the bits, and the register.
    const PLACE: &'static str;

    /// Returns the structure of the thread that this backend finds.
    fn thread() -> &'static ThreadInfo;
}

impl Place for Mmu {
    const PLACE: &'static str = "flags word, SP_EL0";

    fn thread() -> &'static ThreadInfo {
        &THREAD
    }
}

impl Place for ByteMmu {
    const PLACE: &'static str = "own byte, TPIDR_EL1";

    fn thread() -> &'static ThreadInfo {
        &OTHER_THREAD
    }
}
