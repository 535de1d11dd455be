//! Where a kernel keeps what the backend needs: the task pointer, the bits, the interrupt count.

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use aarch64_cpu::registers::{Readable as _, SP_EL0, TPIDR_EL1, TPIDR_EL2};

use crate::protocol::bits::{FlagsWord, OwnByte, SharedWord, Storage};

/// Where the pointer to the current task's structure is.
pub trait TaskPointer: 'static {
    /// Whether [`current`](Self::current) is null as long as there is no task: see [`MaybeNull`].
    const MAY_BE_NULL: bool = false;

    /// The address of the current task's structure; in a handler, of the task that it interrupted.
    fn current() -> *mut u8;
}

/// The task pointer is in `SP_EL0`, as in Linux (`get_current`): the kernel runs on `SP_EL1`, so
/// `SP_EL0` is free.
#[derive(Debug)]
#[non_exhaustive]
pub struct SpEl0;

/// The task pointer is in `TPIDR_EL1`.
#[derive(Debug)]
#[non_exhaustive]
pub struct TpidrEl1;

/// The task pointer `P`, which is null before the first task exists.
///
/// As long as it is null, sections are inert, and every store is followed by its pair at once;
/// nothing is read or written through it. [`lazy_mmu::Task::current`](crate::Task::current) panics.
/// Once the kernel has set the pointer, sections defer. The register's reset value is UNKNOWN, so
/// the boot code of each CPU clears it. The test for null costs each section, and each store by
/// code that has no section, one compare-and-branch. A kernel that does not pay for it sets the
/// pointer before its first store; debug builds check that.
///
/// ```
/// use lazy_mmu::aarch64::{self, ByteAt, MaybeNull, PreemptCountAt, SpEl0};
///
/// struct Kernel;
///
/// // SAFETY: each CPU's boot code clears SP_EL0; from the first task on it points to the running
/// // task's structure, which has the byte and the preempt count there; ... (the other duties)
/// unsafe impl aarch64::Kernel for Kernel {
///     type Task = MaybeNull<SpEl0>;
///     type Bits = ByteAt<16>;
///     type Interrupt = PreemptCountAt<8, 0x00ff_ff00>;
/// }
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

/// The address in a register. It has no provenance of its own; the memory that it points to was
/// exposed to the machine when the scheduler loaded the register.
#[inline]
fn register(value: u64) -> *mut u8 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an address has the width of usize on aarch64"
    )]
    core::ptr::with_exposed_provenance_mut(value as usize)
}

impl TaskPointer for SpEl0 {
    #[inline]
    fn current() -> *mut u8 {
        register(SP_EL0.get())
    }
}

/// The task pointer is in `TPIDR_EL2`, for a kernel at EL2.
#[derive(Debug)]
#[non_exhaustive]
pub struct TpidrEl2;

impl TaskPointer for TpidrEl2 {
    #[inline]
    fn current() -> *mut u8 {
        register(TPIDR_EL2.get())
    }
}

impl TaskPointer for TpidrEl1 {
    #[inline]
    fn current() -> *mut u8 {
        register(TPIDR_EL1.get())
    }
}

/// The place of the bits in a task's structure.
pub trait BitsAt: 'static {
    /// How they are kept there.
    type Storage: Storage;

    /// The bits of the task whose structure is at `task`.
    ///
    /// # Safety
    ///
    /// `task` points to a structure that has them at the implementor's offset, aligned, and that
    /// lives as long as the result is used.
    unsafe fn in_task(task: *mut u8) -> Self::Storage;
}

/// Bits number `FIRST` to `FIRST + 3` of the 64-bit flags word, `OFFSET` bytes into the task's
/// structure.
///
/// The word is shared with other flags ([`SharedWord`]), all accesses to which are 64-bit atomic
/// accesses.
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

/// A byte of the task's own, `OFFSET` bytes into its structure ([`OwnByte`]).
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

/// How a kernel tells an interrupt: [`PreemptCountAt`], or a function of its own.
///
/// ```
/// use lazy_mmu::aarch64::InterruptTest;
///
/// # mod irq { pub fn depth() -> usize { 0 } }
/// /// Asks the kernel's interrupt controller driver.
/// struct Driver;
///
/// impl InterruptTest for Driver {
///     unsafe fn in_interrupt(_task: *mut u8) -> bool {
///         irq::depth() > 0
///     }
/// }
/// ```
pub trait InterruptTest: 'static {
    /// Whether this is an interrupt, softirq or NMI.
    ///
    /// # Safety
    ///
    /// `task` points to the current task's structure. An implementor that reads it says what must
    /// be there.
    unsafe fn in_interrupt(task: *mut u8) -> bool;
}

/// A 32-bit preempt count, `OFFSET` bytes into the task's structure: an interrupt iff any bit of
/// `MASK` is set.
///
/// In Linux softirq, hardirq and NMI depth are bits 8 to 23 (`include/linux/preempt.h`): `MASK` is
/// `0x00ff_ff00`.
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
        // SAFETY: and that the kernel has its preempt count there.
        unsafe { &*count }.load(Ordering::Relaxed) & MASK != 0
    }
}
