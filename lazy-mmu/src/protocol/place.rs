//! The places from which a backend reads the task pointer, the bits and the interrupt count.
//!
//! The file is separate from the contract, because the backends of the architectures use it, and a
//! kernel with a [`Backend`](crate::Backend) of its own does not. The registers that hold a task
//! pointer belong to the architectures.

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use super::bits::{FlagsWord, OwnByte, SharedWord, Storage};

/// Finds the structure of the current task.
///
/// The crate has [`SpEl0`], [`TpidrEl1`] and [`TpidrEl2`] for aarch64, and [`Tp`] for RISC-V. A
/// kernel that keeps the pointer elsewhere implements the trait:
///
/// [`SpEl0`]: crate::aarch64::SpEl0
/// [`TpidrEl1`]: crate::aarch64::TpidrEl1
/// [`TpidrEl2`]: crate::aarch64::TpidrEl2
/// [`Tp`]: crate::riscv64::Tp
///
/// ```
/// use core::sync::atomic::{AtomicPtr, Ordering};
/// use lazy_mmu::aarch64::TaskPointer; // the same as in `riscv64`
///
/// /// The current task of a kernel with one CPU.
/// static CURRENT: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());
///
/// struct Current;
///
/// impl TaskPointer for Current {
///     fn current() -> *mut u8 {
///         CURRENT.load(Ordering::Relaxed)
///     }
/// }
/// ```
pub trait TaskPointer: 'static {
    /// Whether [`current`](Self::current) is null before the first task exists: see [`MaybeNull`].
    const MAY_BE_NULL: bool = false;

    /// Returns the address of the current task's structure. In a handler that is the task that the
    /// handler interrupted.
    fn current() -> *mut u8;
}

/// The task pointer `P`, which is null before the first task exists.
///
/// While the pointer is null, sections are inert (they have no effect), and each store executes its
/// barrier pair at once. The backend does not access memory through a null pointer.
/// [`lazy_mmu::Task::current`](crate::Task::current) panics then. Sections defer as soon as the
/// kernel has set the pointer.
///
/// The boot code of each CPU must clear the register, because its value at reset is not defined.
/// The test for null costs one compare-and-branch in each section, and in each store by code that
/// does not hold a guard. A kernel that sets the pointer before its first store does not need this
/// type. Debug builds check that the pointer is set.
///
/// ```
/// # use core::sync::atomic::{AtomicPtr, Ordering};
/// use core::mem::offset_of;
/// use core::sync::atomic::{AtomicU8, AtomicU32};
/// use lazy_mmu::aarch64::{self, Aarch64};
/// use lazy_mmu::aarch64::{ByteAt, MaybeNull, PreemptCountAt}; // the same as in `riscv64`
/// # static REGISTER: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());
/// # struct SpEl0;
/// # impl aarch64::TaskPointer for SpEl0 {
/// #     fn current() -> *mut u8 {
/// #         REGISTER.load(Ordering::Relaxed)
/// #     }
/// # }
/// # fn set_current(task: &'static Task) {
/// #     REGISTER.store(core::ptr::from_ref(task).cast_mut().cast(), Ordering::Relaxed);
/// # }
///
/// #[repr(C)]
/// struct Task {
///     preempt_count: AtomicU32,
///     lazy_mmu: AtomicU8,
/// }
///
/// struct Kernel;
///
/// // SAFETY: the boot code of each CPU clears SP_EL0. From the first task on SP_EL0 points to the
/// // running task's structure. The other duties are kept as in the example of `aarch64::Kernel`.
/// unsafe impl aarch64::Kernel for Kernel {
///     type Task = MaybeNull<SpEl0>; // `lazy_mmu::aarch64::SpEl0`
///     type Bits = ByteAt<{ offset_of!(Task, lazy_mmu) }>;
///     type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
/// }
///
/// type Mmu = Aarch64<Kernel>;
///
/// // SP_EL0 is null at boot. Sections are inert.
/// lazy_mmu::with::<Mmu, _>(|_| assert!(!lazy_mmu::is_active::<Mmu>()));
///
/// // The first task runs.
/// # static FIRST: Task = Task { preempt_count: AtomicU32::new(0), lazy_mmu: AtomicU8::new(0) };
/// set_current(&FIRST);
/// lazy_mmu::with::<Mmu, _>(|_| assert!(lazy_mmu::is_active::<Mmu>()));
/// ```
#[derive(Debug)]
pub struct MaybeNull<P>(PhantomData<P>);

impl<P: TaskPointer> TaskPointer for MaybeNull<P> {
    const MAY_BE_NULL: bool = true;

    #[inline]
    fn current() -> *mut u8 {
        P::current()
    }
}

/// Makes a pointer of the address in a register. The address has no provenance of its own. The
/// scheduler exposed the memory to the machine when it loaded the register.
#[inline]
pub(crate) fn from_register(value: u64) -> *mut u8 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an address has the width of usize on the architectures with such a register"
    )]
    core::ptr::with_exposed_provenance_mut(value as usize)
}

/// Returns the current task's structure, or `None` before the first task exists.
#[inline]
pub(crate) fn current_task<T: TaskPointer>() -> Option<*mut u8> {
    let task = T::current();
    if T::MAY_BE_NULL && task.is_null() {
        return None;
    }
    debug_assert!(
        !task.is_null(),
        "the task pointer is null: set it before the first store, or use `MaybeNull<..>` as the \
         kernel's `Task`"
    );
    Some(task)
}

/// Finds the crate's bits in a task's structure. The crate has [`FlagsAt`] and [`ByteAt`].
///
/// A kernel implements the trait if it cannot name the offset of the bits:
///
/// ```
/// # use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
/// use core::ptr::NonNull;
/// use lazy_mmu::OwnByte;
/// use lazy_mmu::aarch64::BitsAt; // the same as in `riscv64`
/// # use lazy_mmu::aarch64::{Aarch64, InterruptTest, Kernel, TaskPointer};
///
/// # mod scheduler {
/// #     use core::sync::atomic::AtomicU8;
/// #     pub struct Task(AtomicU8);
/// #     impl Task {
/// #         pub const fn new() -> Self {
/// #             Self(AtomicU8::new(0))
/// #         }
/// #         pub fn lazy_mmu(&self) -> &AtomicU8 {
/// #             &self.0
/// #         }
/// #     }
/// # }
/// // The fields are private. `Task::lazy_mmu` returns a reference to the byte in the structure.
/// use scheduler::Task;
///
/// struct InTask;
///
/// impl BitsAt for InTask {
///     type Storage = OwnByte;
///
///     unsafe fn in_task(task: *mut u8) -> OwnByte {
///         // SAFETY: the caller promises that `task` points to a `Task`.
///         let task = unsafe { &*task.cast::<Task>() };
///         // SAFETY: the byte lives as long as the task, and only the crate uses it.
///         unsafe { OwnByte::from_ptr(NonNull::from(task.lazy_mmu())) }
///     }
/// }
/// # static TASK: Task = Task::new();
/// # struct Current;
/// # impl TaskPointer for Current {
/// #     fn current() -> *mut u8 {
/// #         (&raw const TASK).cast_mut().cast()
/// #     }
/// # }
/// # impl InterruptTest for Current {
/// #     unsafe fn in_interrupt(_: *mut u8) -> bool {
/// #         false
/// #     }
/// # }
/// # struct MyKernel;
/// # // SAFETY: only the thread of the example uses `TASK`.
/// # unsafe impl Kernel for MyKernel {
/// #     type Task = Current;
/// #     type Bits = InTask;
/// #     type Interrupt = Current;
/// # }
/// # lazy_mmu::with::<Aarch64<MyKernel>, _>(|_| {
/// #     assert_ne!(TASK.lazy_mmu().load(Ordering::Relaxed), 0);
/// # });
/// # assert_eq!(TASK.lazy_mmu().load(Ordering::Relaxed), 0);
/// ```
pub trait BitsAt: 'static {
    /// The type that accesses the bits.
    type Storage: Storage;

    /// Returns the bits of the task whose structure is at `task`.
    ///
    /// # Safety
    ///
    /// * `task` points to a structure that has the bits at the implementor's offset, aligned.
    /// * The structure lives as long as the result is used.
    unsafe fn in_task(task: *mut u8) -> Self::Storage;
}

/// Bits `FIRST` to `FIRST + 3` of a 64-bit flags word that is `OFFSET` bytes into the task's
/// structure.
///
/// The word may have other flags, which other CPUs change ([`SharedWord`]). All accesses to the
/// word are 64-bit atomic accesses. `FIRST` is at most 60.
///
/// ```
/// use core::mem::offset_of;
/// use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
/// # use lazy_mmu::aarch64::{Aarch64, Kernel, PreemptCountAt, TaskPointer};
/// use lazy_mmu::aarch64::FlagsAt; // the same as in `riscv64`
///
/// #[repr(C)]
/// struct Task {
///     preempt_count: AtomicU32,
///     /// Bits 28 to 31 belong to the crate, and the other bits to the kernel.
///     flags: AtomicU64,
/// }
///
/// /// The type `Bits` in the kernel's implementation of `Kernel`.
/// type Bits = FlagsAt<{ offset_of!(Task, flags) }, 28>;
///
/// # static TASK: Task = Task { preempt_count: AtomicU32::new(0), flags: AtomicU64::new(0) };
/// # struct Current;
/// # impl TaskPointer for Current {
/// #     fn current() -> *mut u8 {
/// #         (&raw const TASK).cast_mut().cast()
/// #     }
/// # }
/// # struct MyKernel;
/// # // SAFETY: only the thread of the example uses `TASK`.
/// # unsafe impl Kernel for MyKernel {
/// #     type Task = Current;
/// #     type Bits = Bits;
/// #     type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
/// # }
/// # type Mmu = Aarch64<MyKernel>;
/// // `Mmu` is the kernel's backend, and `TASK` is the current task.
/// TASK.flags.store(1, Ordering::Relaxed); // a flag of the kernel
/// lazy_mmu::with::<Mmu, _>(|_| {
///     let flags = TASK.flags.load(Ordering::Relaxed);
///     assert_eq!(flags & !(0xf << 28), 1);
///     assert_ne!(flags & 0xf << 28, 0);
/// });
/// assert_eq!(TASK.flags.load(Ordering::Relaxed), 1);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct FlagsAt<const OFFSET: usize, const FIRST: u32>;

impl<const OFFSET: usize, const FIRST: u32> BitsAt for FlagsAt<OFFSET, FIRST> {
    type Storage = SharedWord<FIRST>;

    #[inline]
    unsafe fn in_task(task: *mut u8) -> Self::Storage {
        #[expect(
            clippy::cast_ptr_alignment,
            reason = "the caller promises a flags word there"
        )]
        // SAFETY: the caller promises that the offset is inside the structure.
        let word = unsafe { task.add(OFFSET) }.cast::<FlagsWord>();
        // SAFETY: a structure is not at address 0.
        let word = unsafe { NonNull::new_unchecked(word) };
        // SAFETY: the caller promises that the flags word is there, and lives as long as the
        // result.
        unsafe { SharedWord::from_ptr(word) }
    }
}

/// A byte of the task's own that is `OFFSET` bytes into its structure ([`OwnByte`]).
///
/// Only the crate writes the byte, except a scheduler that swaps it at a context switch.
///
/// ```
/// use core::mem::offset_of;
/// use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
/// # use lazy_mmu::aarch64::{Aarch64, Kernel, PreemptCountAt, TaskPointer};
/// use lazy_mmu::aarch64::ByteAt; // the same as in `riscv64`
///
/// #[repr(C)]
/// struct Task {
///     preempt_count: AtomicU32,
///     /// The crate uses four bits of the byte. It is 0 in a new task.
///     lazy_mmu: AtomicU8,
/// }
///
/// /// The type `Bits` in the kernel's implementation of `Kernel`.
/// type Bits = ByteAt<{ offset_of!(Task, lazy_mmu) }>;
///
/// # static TASK: Task = Task { preempt_count: AtomicU32::new(0), lazy_mmu: AtomicU8::new(0) };
/// # struct Current;
/// # impl TaskPointer for Current {
/// #     fn current() -> *mut u8 {
/// #         (&raw const TASK).cast_mut().cast()
/// #     }
/// # }
/// # struct MyKernel;
/// # // SAFETY: only the thread of the example uses `TASK`.
/// # unsafe impl Kernel for MyKernel {
/// #     type Task = Current;
/// #     type Bits = Bits;
/// #     type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
/// # }
/// # type Mmu = Aarch64<MyKernel>;
/// // `Mmu` is the kernel's backend, and `TASK` is the current task.
/// lazy_mmu::with::<Mmu, _>(|_| {
///     assert_ne!(TASK.lazy_mmu.load(Ordering::Relaxed), 0);
/// });
/// assert_eq!(TASK.lazy_mmu.load(Ordering::Relaxed), 0);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ByteAt<const OFFSET: usize>;

impl<const OFFSET: usize> BitsAt for ByteAt<OFFSET> {
    type Storage = OwnByte;

    #[inline]
    unsafe fn in_task(task: *mut u8) -> OwnByte {
        // SAFETY: the caller promises that the offset is inside the structure.
        let byte = unsafe { task.add(OFFSET) }.cast::<AtomicU8>();
        // SAFETY: a structure is not at address 0.
        let byte = unsafe { NonNull::new_unchecked(byte) };
        // SAFETY: the caller promises that the byte is there, and lives as long as the result.
        unsafe { OwnByte::from_ptr(byte) }
    }
}

/// Recognises interrupt context.
///
/// The crate has [`PreemptCountAt`]. A kernel may have its own test:
///
/// ```
/// use lazy_mmu::aarch64::InterruptTest; // the same as in `riscv64`
///
/// # mod irq { pub fn depth() -> usize { 0 } }
/// /// Asks the driver of the interrupt controller.
/// struct Driver;
///
/// impl InterruptTest for Driver {
///     unsafe fn in_interrupt(_task: *mut u8) -> bool {
///         irq::depth() > 0
///     }
/// }
/// ```
pub trait InterruptTest: 'static {
    /// Whether the CPU is in an interrupt, a softirq or an NMI. On aarch64, IRQs, FIQs and SErrors
    /// are interrupts. On RISC-V, a supervisor software event (SSE) of the SBI is an NMI.
    ///
    /// # Safety
    ///
    /// `task` points to the current task's structure. An implementor that reads the structure
    /// documents the contents that it needs.
    unsafe fn in_interrupt(task: *mut u8) -> bool;
}

/// A 32-bit preempt count that is `OFFSET` bytes into the task's structure. The CPU is in interrupt
/// context if and only if a bit of `MASK` is set in the count.
///
/// Linux counts softirqs, interrupts and NMIs in bits 8 to 23 (`include/linux/preempt.h`). The
/// `MASK` for them is `0x00ff_ff00`. The mask `0x00ff_0100` leaves out threads that have only
/// disabled softirqs, because Linux sets bit 8 only while it serves a softirq.
///
/// ```
/// use core::mem::offset_of;
/// use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
/// # use lazy_mmu::aarch64::{Aarch64, ByteAt, Kernel, TaskPointer};
/// use lazy_mmu::aarch64::PreemptCountAt; // the same as in `riscv64`
///
/// #[repr(C)]
/// struct Task {
///     /// Counts preemption in bits 0 to 7, and softirqs, interrupts and NMIs in bits 8 to 23.
///     preempt_count: AtomicU32,
///     lazy_mmu: AtomicU8,
/// }
///
/// /// The type `Interrupt` in the kernel's implementation of `Kernel`.
/// type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
///
/// # static TASK: Task = Task { preempt_count: AtomicU32::new(0), lazy_mmu: AtomicU8::new(0) };
/// # struct Current;
/// # impl TaskPointer for Current {
/// #     fn current() -> *mut u8 {
/// #         (&raw const TASK).cast_mut().cast()
/// #     }
/// # }
/// # struct MyKernel;
/// # // SAFETY: only the thread of the example uses `TASK`.
/// # unsafe impl Kernel for MyKernel {
/// #     type Task = Current;
/// #     type Bits = ByteAt<{ offset_of!(Task, lazy_mmu) }>;
/// #     type Interrupt = Interrupt;
/// # }
/// # type Mmu = Aarch64<MyKernel>;
/// // `Mmu` is the kernel's backend, and `TASK` is the current task.
/// // Preemption is disabled once. A section of the thread defers stores.
/// TASK.preempt_count.store(1, Ordering::Relaxed);
/// lazy_mmu::with::<Mmu, _>(|_| assert!(lazy_mmu::is_active::<Mmu>()));
///
/// // An interrupt arrives. A section of its handler is inert.
/// TASK.preempt_count.store((1 << 16) + 1, Ordering::Relaxed);
/// lazy_mmu::with::<Mmu, _>(|_| assert!(!lazy_mmu::is_active::<Mmu>()));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct PreemptCountAt<const OFFSET: usize, const MASK: u32>;

impl<const OFFSET: usize, const MASK: u32> InterruptTest for PreemptCountAt<OFFSET, MASK> {
    #[inline]
    unsafe fn in_interrupt(task: *mut u8) -> bool {
        #[expect(
            clippy::cast_ptr_alignment,
            reason = "the caller promises a preempt count there"
        )]
        // SAFETY: the caller promises that the offset is inside the structure.
        let count = unsafe { task.add(OFFSET) }.cast::<AtomicU32>();
        // SAFETY: the caller promises that the kernel has its preempt count there.
        unsafe { &*count }.load(Ordering::Relaxed) & MASK != 0
    }
}
