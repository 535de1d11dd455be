//! The threads of these kernels, whose structures the backends read. Only programs with a
//! [scheduler](crate::scheduler) have more than one for each hart.

use core::arch::asm;
use core::mem::offset_of;
use core::ptr::{from_ref, with_exposed_provenance};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use lazy_mmu::riscv64::{ByteAt, FlagsAt, Kernel, PreemptCountAt, Riscv64, TaskPointer as _, Tp};

use crate::policy::OtherHarts;

/// The structure to which `tp` points.
#[derive(Debug)]
#[repr(C)]
pub struct Thread {
    /// The flags of all users. Bits 28 to 31 are those of the mode.
    pub flags: AtomicU64,
    /// Linux's preempt count: the depth of softirqs, hardirqs and NMIs is in bits 8 to 23.
    pub preempt_count: AtomicU32,
    /// The bits of the mode, for the backend with its own byte.
    pub lazy_mmu: AtomicU8,
}

impl Thread {
    /// Returns the structure of a new thread. The mode's bits are clear, and the flags of other
    /// users are [`FOREIGN_FLAGS`].
    #[expect(clippy::new_without_default, reason = "it is the value of a static")]
    pub const fn new() -> Self {
        Self {
            flags: AtomicU64::new(FOREIGN_FLAGS),
            preempt_count: AtomicU32::new(0),
            lazy_mmu: AtomicU8::new(0),
        }
    }

    /// Makes this thread the current one.
    pub fn set_current(&'static self) {
        let address = from_ref(self).expose_provenance();
        // SAFETY: the compiler does not use the register, because the kernels do not have
        // thread-local variables.
        unsafe { asm!("mv tp, {}", in(reg) address, options(nomem, nostack, preserves_flags)) };
    }
}

/// One hardirq in Linux's preempt count.
pub const HARDIRQ: u32 = 1 << 16;

/// The flags of other users, which must never change.
pub const FOREIGN_FLAGS: u64 = 0x8000_0000_0800_0001;

/// Returns the current thread.
pub fn current() -> &'static Thread {
    let thread: *const Thread = with_exposed_provenance(Tp::current().addr());
    // SAFETY: before any interrupt, `set_current` has loaded a reference to a static.
    unsafe { &*thread }
}

/// Checks that the thread's bits and preempt count are zero, and other users' flags unchanged.
pub fn check_clear() {
    let thread = current();
    assert_eq!(thread.flags.load(Relaxed), FOREIGN_FLAGS);
    assert_eq!(thread.lazy_mmu.load(Relaxed), 0);
    assert_eq!(thread.preempt_count.load(Relaxed), 0);
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
    type Bits = FlagsAt<{ offset_of!(Thread, flags) }, 28>;
    type Interrupt = PreemptCountAt<{ offset_of!(Thread, preempt_count) }, 0x00ff_ff00>;
    type Harts = OtherHarts;
}

/// The kernel whose bits are in a byte.
#[derive(Debug)]
pub struct Byte;

// SAFETY: as above. Other code does not write to the byte.
unsafe impl Kernel for Byte {
    type Task = Tp;
    type Bits = ByteAt<{ offset_of!(Thread, lazy_mmu) }>;
    type Interrupt = PreemptCountAt<{ offset_of!(Thread, preempt_count) }, 0x00ff_ff00>;
    type Harts = OtherHarts;
}

/// The backend of [`Flags`].
pub type Mmu = Riscv64<Flags>;
/// The backend of [`Byte`].
pub type ByteMmu = Riscv64<Byte>;
