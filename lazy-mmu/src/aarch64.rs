//! The backend of aarch64 kernels: the bits in the current task's `thread_info`, the real barriers.
//!
//! A kernel says where its current task's structure is ([`SpEl0`], [`TpidrEl1`], [`TpidrEl2`], or
//! its own [`TaskPointer`]; [`MaybeNull`] of one, if it is null at first), at which offset its bits
//! are ([`FlagsAt`], [`ByteAt`]), and how to tell an interrupt ([`PreemptCountAt`], or its own
//! [`InterruptTest`]):
//!
//! ```
//! use core::mem::offset_of;
//! use core::sync::atomic::{AtomicU32, AtomicU64};
//! use lazy_mmu::aarch64::{self, Aarch64, FlagsAt, PreemptCountAt, SpEl0};
//!
//! /// What SP_EL0 points to while a task runs.
//! #[repr(C)]
//! struct ThreadInfo {
//!     flags: AtomicU64,
//!     preempt_count: AtomicU32,
//! }
//!
//! struct Kernel;
//!
//! // SAFETY: SP_EL0 points to the running task's `ThreadInfo`, also in handlers; the flags' bits 28 to 31 are
//! // nobody else's, and clear in a new task; the preempt count is Linux's; a context switch executes `dsb ish`
//! // on the old CPU and `isb` on the new one.
//! unsafe impl aarch64::Kernel for Kernel {
//!     type Task = SpEl0;
//!     type Bits = FlagsAt<{ offset_of!(ThreadInfo, flags) }, 28>;
//!     type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;
//! }
//!
//! type Mmu = Aarch64<Kernel>;
//!
//! #[lazy_mmu::lazy_mmu(backend = Mmu)]
//! fn map_pages() {
//!     // stores
//! }
//! ```
//!
//! The module builds everywhere, so that a kernel's code can be checked and documented on its developers' machines; off
//! aarch64 the registers and barriers panic.

pub mod errata;

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{Readable as _, SP_EL0, TPIDR_EL1, TPIDR_EL2};

use crate::backend::Backend;
use crate::bits::{FlagsWord, OwnByte, SharedWord, Storage};
use crate::tlb::{Scope, Tlbi};

/// One instruction, with an operand or none.
macro_rules! tlbi {
    ($instruction:literal $(, $operand:expr)?) => {{
        #[cfg(target_arch = "aarch64")]
        // SAFETY: forgetting translations changes no memory. The compiler moves no access over it.
        unsafe {
            core::arch::asm!($instruction, $(in(reg) $operand,)? options(nostack, preserves_flags));
        }
        #[cfg(not(target_arch = "aarch64"))]
        {
            $(let _ = $operand;)?
            panic!("`{}` is an instruction of aarch64", $instruction)
        }
    }};
}

/// `dsb ishst; isb`, in this order.
///
/// # Panics
///
/// Off aarch64.
#[inline(always)]
#[expect(clippy::inline_always, reason = "two instructions, less than the call")]
pub fn barrier_pair() {
    // Completes the earlier stores to the tables, for the walkers of the Inner Shareable domain.
    barrier::dsb(barrier::ISHST);
    // Later instructions of this CPU are fetched, and so translated, after that.
    barrier::isb(barrier::SY);
}

/// `dsb ishst`.
///
/// # Panics
///
/// Off aarch64.
#[inline(always)]
#[expect(clippy::inline_always, reason = "one instruction")]
pub fn table_barrier() {
    barrier::dsb(barrier::ISHST);
}

/// Completes the TLB invalidations before it: `dsb ish`; if `repeat`, one more TLBI and `dsb ish`;
/// `isb`.
///
/// On the CPUs that [`errata::needs_repeated_tlbi`] lists, the first `dsb ish` may end before
/// writes of other CPUs through the old translation are observed (CVE-2025-10263). A second
/// broadcast TLBI, whatever its operand, and its `dsb ish` wait for them.
///
/// # Panics
///
/// Off aarch64.
#[inline]
pub fn tlb_barrier(regime: Regime, repeat: bool) {
    // The invalidation is complete when no CPU of the domain uses the translations that it removed.
    barrier::dsb(barrier::ISH);
    if repeat {
        repeat_tlbi(regime);
        barrier::dsb(barrier::ISH);
    }
    // Instructions that were fetched by the old translation are fetched anew.
    barrier::isb(barrier::SY);
}

/// A broadcast TLBI that removes next to nothing: of the address 0 and the ASID 0.
#[inline]
fn repeat_tlbi(regime: Regime) {
    match regime {
        Regime::El1And0 => tlbi!("tlbi vale1is, xzr"),
        Regime::El2 => tlbi!("tlbi vale2is, xzr"),
    }
}

/// The translation regime that the kernel itself runs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Regime {
    /// EL1&0; or EL2&0, on a host with HCR_EL2.{E2H, TGE} = {1, 1}, where the instructions of EL1&0 mean that one (Arm ARM
    /// DDI 0487, "TLB maintenance instructions", and Linux's `flush_tlb_*`, which are the same for both).
    El1And0,
    /// EL2, with HCR_EL2.E2H = 0. (A kernel at EL2 with E2H = 1 and TGE = 0 is not provided for: there the instructions of
    /// EL1&0 mean a guest's.)
    El2,
}

/// Executes the instruction for `regime`: TLBI VAALE1IS and its like, or VALE2IS.
///
/// # Panics
///
/// Off aarch64.
#[inline]
pub fn tlb_invalidate(regime: Regime, instruction: Tlbi) {
    use Regime::{El1And0, El2};
    // SYS #op1, C8, CRm, #op2; the range instructions have no name in an assembler that is not told of FEAT_TLBIRANGE.
    match (regime, instruction) {
        (El1And0, Tlbi::Page { operand, scope }) => match scope {
            Scope::LastLevel => tlbi!("tlbi vaale1is, {}", operand),
            Scope::AllLevels => tlbi!("tlbi vaae1is, {}", operand),
        },
        (El1And0, Tlbi::Range { operand, scope }) => match scope {
            Scope::LastLevel => tlbi!("sys #0, c8, c2, #7, {}", operand),
            Scope::AllLevels => tlbi!("sys #0, c8, c2, #3, {}", operand),
        },
        (El1And0, Tlbi::All) => tlbi!("tlbi vmalle1is"),
        (El2, Tlbi::Page { operand, scope }) => match scope {
            Scope::LastLevel => tlbi!("tlbi vale2is, {}", operand),
            Scope::AllLevels => tlbi!("tlbi vae2is, {}", operand),
        },
        (El2, Tlbi::Range { operand, scope }) => match scope {
            Scope::LastLevel => tlbi!("sys #4, c8, c2, #5, {}", operand),
            Scope::AllLevels => tlbi!("sys #4, c8, c2, #1, {}", operand),
        },
        (El2, Tlbi::All) => tlbi!("tlbi alle2is"),
    }
}

/// Where an aarch64 kernel keeps what the backend needs.
///
/// # Safety
///
/// * At every moment at which the backend is used, in handlers too, [`Task`](Self::Task) points to
///   the structure of the task that runs or was interrupted, which lives as long as the task; or,
///   with [`MaybeNull`], is null before there is a task.
/// * [`Bits`](Self::Bits) lie in that structure, aligned: they are the task's, clear when it
///   starts, and changed by nobody else; all other accesses to the 64-bit word, or to the byte,
///   that has them are atomic and of that width.
/// * [`Interrupt`](Self::Interrupt) is true in every interrupt. What it reads in that structure
///   lies there, aligned, and all other accesses to it are atomic, of the same width, or the task's
///   own.
/// * None of the three unwinds, opens a section, or stores through this crate; [`Bits`](Self::Bits)
///   has a [`Storage`] that is kept as its documentation says.
/// * A context switch executes `dsb ish` on the CPU that gives the task up, before another CPU may
///   run it; and `isb`, or an exception return that synchronizes the context, on the CPU that takes
///   the task over, after it has taken it (see the duties of [`Backend`]).
/// * [`needs_repeated_tlbi`](Self::needs_repeated_tlbi) is false only if no CPU of the machine is
///   in the list of [`errata`].
/// * [`REGIME`](Self::REGIME) is the regime in which the kernel runs; [`HAS_TLB_RANGE`](Self::HAS_TLB_RANGE) is true only if
///   every CPU has the instructions, and its addresses are not those of FEAT_LPA2 (TCR_ELx.DS is 0).
pub unsafe trait Kernel: 'static {
    /// The register, or whatever else, that points to the current task.
    type Task: TaskPointer;
    /// The place of the bits in the task's structure: [`FlagsAt`] or [`ByteAt`].
    type Bits: BitsAt;
    /// How an interrupt is told.
    type Interrupt: InterruptTest;

    /// The regime whose TLB entries are invalidated: that in which the kernel runs.
    const REGIME: Regime = Regime::El1And0;

    /// Whether every CPU has the TLB range instructions (ID_AA64ISAR0_EL1.TLB is at least 2).
    const HAS_TLB_RANGE: bool = false;

    /// Whether a TLB invalidation is repeated (see [`tlb_barrier`]). The default is right on every
    /// CPU.
    ///
    /// A kernel that knows its CPUs asks [`errata::needs_repeated_tlbi`] for each of them, at boot,
    /// and returns the answer here.
    #[inline]
    fn needs_repeated_tlbi() -> bool {
        true
    }
}

/// The backend of the kernel `K`.
pub struct Aarch64<K>(PhantomData<K>);

impl<K: Kernel> Aarch64<K> {
    /// The current task's structure; `None` before the first task exists.
    #[inline]
    fn task() -> Option<*mut u8> {
        let task = K::Task::current();
        if K::Task::MAY_BE_NULL && task.is_null() {
            return None;
        }
        debug_assert!(
            !task.is_null(),
            "the task pointer is null: set it before the first store, or let the kernel's `Task` be `MaybeNull<..>`"
        );
        Some(task)
    }
}

// SAFETY: the author of `K` promised where the bits are and that they are the task's own, that the test is true in
// interrupts, and what a context switch executes; the barrier is the architecture's.
unsafe impl<K: Kernel> Backend for Aarch64<K> {
    type Storage = <K::Bits as BitsAt>::Storage;

    #[inline]
    fn current() -> Self::Storage {
        // SAFETY: `K` promises that the bits lie in the structure to which the pointer points.
        Self::task().map_or_else(Storage::inert, |task| unsafe { K::Bits::in_task(task) })
    }

    #[inline]
    fn in_interrupt() -> bool {
        // SAFETY: `K` promises that the pointer points to the current task's structure.
        Self::task().is_none_or(|task| unsafe { K::Interrupt::in_interrupt(task) })
    }

    #[inline]
    fn barrier() {
        barrier_pair();
    }

    #[inline]
    fn tlb_invalidate(instruction: Tlbi) {
        tlb_invalidate(K::REGIME, instruction);
    }

    #[inline]
    fn tlb_barrier() {
        tlb_barrier(K::REGIME, K::needs_repeated_tlbi());
    }

    #[inline]
    fn has_tlb_range() -> bool {
        K::HAS_TLB_RANGE
    }

    #[inline]
    fn context() -> (Self::Storage, bool) {
        let Some(task) = Self::task() else {
            // Code before the first task has no bits. It may not rely on any, as an interrupt
            // handler may not.
            return (Self::Storage::inert(), true);
        };
        // SAFETY: as in `current`.
        let bits = unsafe { K::Bits::in_task(task) };
        // SAFETY: as in `in_interrupt`.
        let in_interrupt = unsafe { K::Interrupt::in_interrupt(task) };
        (bits, in_interrupt)
    }
}

/// Where the pointer to the current task's structure is.
pub trait TaskPointer: 'static {
    /// Whether [`current`](Self::current) is null as long as there is no task: see [`MaybeNull`].
    const MAY_BE_NULL: bool = false;

    /// The address of the current task's structure; in a handler, of the task that it interrupted.
    fn current() -> *mut u8;
}

/// The task pointer is in `SP_EL0`, as in Linux (`get_current`): the kernel runs on `SP_EL1`, so `SP_EL0` is free.
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

/// The address in a register. It has no provenance of its own; the memory that it points to was exposed to the machine
/// when the scheduler loaded the register.
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
    /// `task` points to a structure that has them at the implementor's offset, aligned, and that lives as long as
    /// the result is used.
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
        // SAFETY: the caller promises that the flags word is there, and lives as long as the result.
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

/// A 32-bit preempt count, `OFFSET` bytes into the task's structure: an interrupt iff any bit of `MASK` is set.
///
/// In Linux softirq, hardirq and NMI depth are bits 8 to 23 (`include/linux/preempt.h`): `MASK` is `0x00ff_ff00`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Bits;
    use core::mem::offset_of;
    use core::sync::atomic::AtomicU64;

    #[repr(C)]
    struct ThreadInfo {
        other: AtomicU64,
        flags: AtomicU64,
        preempt_count: AtomicU32,
        lazy_mmu: AtomicU8,
    }

    static INFO: ThreadInfo = ThreadInfo {
        other: AtomicU64::new(0),
        flags: AtomicU64::new(0),
        preempt_count: AtomicU32::new(0),
        lazy_mmu: AtomicU8::new(0),
    };

    /// Stands for the register.
    struct Pointer;

    impl TaskPointer for Pointer {
        fn current() -> *mut u8 {
            (&raw const INFO).cast_mut().cast()
        }
    }

    struct Flags;

    // SAFETY: for this test, whose one thread owns INFO.
    unsafe impl Kernel for Flags {
        type Task = Pointer;
        type Bits = FlagsAt<{ offset_of!(ThreadInfo, flags) }, 60>;
        type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;
    }

    struct Byte;

    // SAFETY: as above.
    unsafe impl Kernel for Byte {
        type Task = Pointer;
        type Bits = ByteAt<{ offset_of!(ThreadInfo, lazy_mmu) }>;
        type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;
    }

    #[test]
    fn k01_k02_the_bits_are_where_the_kernel_says() {
        let flags = Aarch64::<Flags>::current();
        // SAFETY: no section depends on these bits.
        unsafe { flags.set(Bits::EMPTY, Bits::ACTIVE) };
        assert_eq!(INFO.flags.load(Ordering::Relaxed), 1 << 62);
        // SAFETY: as above.
        unsafe { flags.set(Bits::ACTIVE, Bits::PENDING) };
        assert_eq!(INFO.flags.load(Ordering::Relaxed), 0b101 << 60);

        // SAFETY: as above.
        unsafe { Aarch64::<Byte>::current().set(Bits::EMPTY, Bits::ACTIVE) };
        assert_ne!(INFO.lazy_mmu.load(Ordering::Relaxed), 0);
        assert_eq!(INFO.other.load(Ordering::Relaxed), 0);

        // A softirq-disabled section of the task counts, a preemption-disabled one does not.
        for (count, interrupt) in [(0, false), (7, false), (0x100, true), (0x0010_0000, true)] {
            INFO.preempt_count.store(count, Ordering::Relaxed);
            assert_eq!(Aarch64::<Flags>::in_interrupt(), interrupt);
            assert_eq!(Aarch64::<Byte>::context().1, interrupt);
        }
    }
}
