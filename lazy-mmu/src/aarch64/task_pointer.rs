//! The registers of aarch64 in which a kernel keeps the pointer to the current task.

use aarch64_cpu::registers::{Readable as _, SP_EL0, TPIDR_EL1, TPIDR_EL2};

use crate::protocol::place::{TaskPointer, from_register};

/// The task pointer is in `SP_EL0`, as in Linux (`get_current`). The register is free, because the
/// kernel runs on `SP_EL1`.
///
/// While EL0 runs, the register is the user's stack pointer. The code that handles an exception
/// from EL0 saves it, and loads the task pointer before it uses this crate.
///
/// ```no_run
/// use aarch64_cpu::registers::{SP_EL0, Writeable};
/// use lazy_mmu::aarch64::{SpEl0, TaskPointer};
///
/// # struct Task;
/// /// The boot code calls it for the idle task, and a context switch for the next task.
/// fn set_current(task: &'static Task) {
///     SP_EL0.set(core::ptr::from_ref(task).expose_provenance() as u64);
/// }
///
/// static IDLE: Task = Task { /* .. */ };
/// set_current(&IDLE);
/// assert_eq!(SpEl0::current().addr(), (&raw const IDLE).addr());
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SpEl0;

impl TaskPointer for SpEl0 {
    #[inline]
    fn current() -> *mut u8 {
        from_register(SP_EL0.get())
    }
}

/// The task pointer is in `TPIDR_EL1`.
///
/// The register belongs to the kernel alone, also while EL0 runs. The entry code therefore does not
/// load it.
///
/// ```
/// # use core::mem::offset_of;
/// # use core::sync::atomic::{AtomicU8, AtomicU32};
/// use aarch64_cpu::registers::{TPIDR_EL1, Writeable};
/// use lazy_mmu::aarch64::{ByteAt, Kernel, PreemptCountAt, TpidrEl1};
///
/// # #[repr(C)]
/// # struct Task {
/// #     preempt_count: AtomicU32,
/// #     lazy_mmu: AtomicU8,
/// # }
/// struct MyKernel;
///
/// // SAFETY: `set_current` keeps TPIDR_EL1 on the running task's structure. The other duties are
/// // kept as in the example of `Kernel`.
/// unsafe impl Kernel for MyKernel {
///     type Task = TpidrEl1;
///     type Bits = ByteAt<{ offset_of!(Task, lazy_mmu) }>;
///     type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
/// }
///
/// /// The boot code calls it for the idle task, and a context switch for the next task.
/// fn set_current(task: &'static Task) {
///     TPIDR_EL1.set(core::ptr::from_ref(task).expose_provenance() as u64);
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct TpidrEl1;

impl TaskPointer for TpidrEl1 {
    #[inline]
    fn current() -> *mut u8 {
        from_register(TPIDR_EL1.get())
    }
}

/// The task pointer is in `TPIDR_EL2`, for a kernel at EL2.
///
/// ```
/// # use core::mem::offset_of;
/// # use core::sync::atomic::{AtomicU8, AtomicU32};
/// use aarch64_cpu::registers::{TPIDR_EL2, Writeable};
/// use lazy_mmu::aarch64::{ByteAt, Kernel, PreemptCountAt, Regime, TpidrEl2};
///
/// # #[repr(C)]
/// # struct Task {
/// #     preempt_count: AtomicU32,
/// #     lazy_mmu: AtomicU8,
/// # }
/// /// A hypervisor at EL2, with HCR_EL2.E2H = 0.
/// struct Hypervisor;
///
/// // SAFETY: `set_current` keeps TPIDR_EL2 on the running task's structure. The other duties are
/// // kept as in the example of `Kernel`.
/// unsafe impl Kernel for Hypervisor {
///     type Task = TpidrEl2;
///     type Bits = ByteAt<{ offset_of!(Task, lazy_mmu) }>;
///     type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
///     const REGIME: Regime = Regime::El2;
/// }
///
/// /// The boot code calls it for the idle task, and a context switch for the next task.
/// fn set_current(task: &'static Task) {
///     TPIDR_EL2.set(core::ptr::from_ref(task).expose_provenance() as u64);
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct TpidrEl2;

impl TaskPointer for TpidrEl2 {
    #[inline]
    fn current() -> *mut u8 {
        from_register(TPIDR_EL2.get())
    }
}
