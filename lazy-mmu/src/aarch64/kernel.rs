//! The backend of an aarch64 kernel, made of the kernel's configuration.

use core::marker::PhantomData;

use super::barriers::{barrier_pair, table_barrier};
use super::place::{BitsAt, InterruptTest, TaskPointer};
#[cfg(doc)]
use super::place::{ByteAt, FlagsAt, MaybeNull};
use super::tlb::{self, Regime, Tlbs};
use crate::protocol::backend::{Backend, Machine};
use crate::protocol::bits::Storage;
use crate::protocol::range::Invalidation;

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
/// * None of the three, nor a hook, unwinds, opens a section, or stores through this crate;
///   backends that share bits have the same hooks; [`Bits`](Self::Bits) has a [`Storage`] that is
///   kept as its documentation says.
/// * A context switch executes `dsb ish` on the CPU that gives the task up, before another CPU may
///   run it; and `isb`, or an exception return that synchronizes the context, on the CPU that takes
///   the task over, after it has taken it (see the duties of [`Backend`]).
/// * [`needs_repeated_tlbi`](Self::needs_repeated_tlbi) is false only if no CPU of the machine is
///   in the list of [`errata`](super::errata).
/// * [`REGIME`](Self::REGIME) is the regime in which the kernel runs;
///   [`HAS_TLB_RANGE`](Self::HAS_TLB_RANGE) is true only if every CPU has the instructions, and its
///   addresses are not those of FEAT_LPA2 (TCR_ELx.DS is 0).
pub unsafe trait Kernel: 'static {
    /// The register, or whatever else, that points to the current task.
    type Task: TaskPointer;
    /// The place of the bits in the task's structure: [`FlagsAt`] or [`ByteAt`].
    type Bits: BitsAt;
    /// How to recognise that the CPU is in an interrupt.
    type Interrupt: InterruptTest;

    /// The regime whose TLB entries are invalidated: that in which the kernel runs.
    const REGIME: Regime = Regime::El1And0;

    /// Whether every CPU has the TLB range instructions (ID_AA64ISAR0_EL1.TLB is at least 2).
    const HAS_TLB_RANGE: bool = false;

    /// If an invalidation needs more instructions than this, everything is invalidated.
    const MAX_TLBI_OPS: u64 = tlb::MAX_TLBI_OPS;

    /// Whether a TLB invalidation is repeated (see [`Tlbs::invalidate`]). The default is right on
    /// every CPU.
    ///
    /// A kernel that knows its CPUs asks
    /// [`errata::needs_repeated_tlbi`](super::errata::needs_repeated_tlbi) for each of them, at
    /// boot, and returns the answer here.
    #[inline]
    fn needs_repeated_tlbi() -> bool {
        true
    }

    /// Whether [`mode_begins`](Self::mode_begins) and [`mode_ends`](Self::mode_ends) are called.
    const HAS_HOOKS: bool = false;

    /// As [`Backend::mode_begins`].
    #[inline]
    fn mode_begins() {}

    /// As [`Backend::mode_ends`].
    #[inline]
    fn mode_ends() {}
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

impl<K: Kernel> Aarch64<K> {
    /// What the kernel's CPUs have.
    #[inline]
    fn tlbs() -> Tlbs {
        Tlbs {
            regime: K::REGIME,
            has_range: K::HAS_TLB_RANGE,
            repeat: K::needs_repeated_tlbi(),
            max_ops: K::MAX_TLBI_OPS,
        }
    }
}

// SAFETY: the author of `K` promised where the bits are and that they are the task's own, that the
// test is true in interrupts, that the hooks keep their duties, and what a context switch executes.
unsafe impl<K: Kernel> Backend for Aarch64<K> {
    type Storage = <K::Bits as BitsAt>::Storage;
    type Machine = Self;

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

    const HAS_HOOKS: bool = K::HAS_HOOKS;

    #[inline]
    fn mode_begins() {
        K::mode_begins();
    }

    #[inline]
    fn mode_ends() {
        K::mode_ends();
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

// SAFETY: the barriers are the architecture's, and `K` promises what its CPUs have.
unsafe impl<K: Kernel> Machine for Aarch64<K> {
    #[inline]
    fn barrier() {
        barrier_pair();
    }

    #[inline]
    fn table_barrier() {
        table_barrier();
    }

    /// Out of line: the instructions cost more than the call.
    #[inline(never)]
    fn invalidate(invalidations: &[Invalidation]) {
        Self::tlbs().invalidate(invalidations);
    }

    #[inline]
    fn invalidate_all() {
        Self::tlbs().invalidate_all();
    }
}

/// The machine of a kernel at EL1 that implements [`Backend`] itself: right on every CPU
/// ([`Tlbs::EL1`]).
#[derive(Debug)]
#[non_exhaustive]
pub struct El1;

// SAFETY: the barriers are the architecture's.
unsafe impl Machine for El1 {
    #[inline]
    fn barrier() {
        barrier_pair();
    }

    #[inline]
    fn table_barrier() {
        table_barrier();
    }

    /// Out of line: the instructions cost more than the call.
    #[inline(never)]
    fn invalidate(invalidations: &[Invalidation]) {
        Tlbs::EL1.invalidate(invalidations);
    }

    #[inline]
    fn invalidate_all() {
        Tlbs::EL1.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::{ByteAt, FlagsAt, PreemptCountAt};
    use super::*;
    use crate::protocol::bits::Bits;
    use core::mem::offset_of;
    use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

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

    type Byte = ByteAt<{ offset_of!(ThreadInfo, lazy_mmu) }>;
    type Count<const MASK: u32> = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, MASK>;

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
        type Interrupt = Count<0x00ff_ff00>;
    }

    struct OwnByte;

    // SAFETY: as above.
    unsafe impl Kernel for OwnByte {
        type Task = Pointer;
        type Bits = Byte;
        type Interrupt = Count<0x00ff_ff00>;
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
        unsafe { Aarch64::<OwnByte>::current().set(Bits::EMPTY, Bits::ACTIVE) };
        assert_ne!(INFO.lazy_mmu.load(Ordering::Relaxed), 0);
        assert_eq!(INFO.other.load(Ordering::Relaxed), 0);

        // A softirq-disabled section of the task counts, a preemption-disabled one does not.
        for (count, interrupt) in [(0, false), (7, false), (0x100, true), (0x0010_0000, true)] {
            INFO.preempt_count.store(count, Ordering::Relaxed);
            assert_eq!(Aarch64::<Flags>::in_interrupt(), interrupt);
            assert_eq!(Aarch64::<OwnByte>::context().1, interrupt);
        }
    }

    #[test]
    fn k01_a_kernel_says_what_its_cpus_have() {
        struct Modern;
        // SAFETY: nothing is executed.
        unsafe impl Kernel for Modern {
            type Task = Pointer;
            type Bits = Byte;
            type Interrupt = Count<1>;
            const REGIME: Regime = Regime::El2;
            const HAS_TLB_RANGE: bool = true;
            const MAX_TLBI_OPS: u64 = 7;
            fn needs_repeated_tlbi() -> bool {
                false
            }
        }

        let modern = Tlbs {
            regime: Regime::El2,
            has_range: true,
            repeat: false,
            max_ops: 7,
        };
        assert_eq!(Aarch64::<Modern>::tlbs(), modern);
        assert_eq!(Aarch64::<Flags>::tlbs(), Tlbs::EL1);
    }

    #[test]
    fn k12_the_kernels_hooks_are_the_backends() {
        use core::sync::atomic::AtomicUsize;

        static BEGUN: AtomicUsize = AtomicUsize::new(0);
        static ENDED: AtomicUsize = AtomicUsize::new(0);

        struct Hooked;
        // SAFETY: no section is entered.
        unsafe impl Kernel for Hooked {
            type Task = Pointer;
            type Bits = Byte;
            type Interrupt = Count<1>;
            const HAS_HOOKS: bool = true;
            fn mode_begins() {
                BEGUN.fetch_add(1, Ordering::Relaxed);
            }
            fn mode_ends() {
                ENDED.fetch_add(1, Ordering::Relaxed);
            }
        }

        const { assert!(Aarch64::<Hooked>::HAS_HOOKS && !Aarch64::<Flags>::HAS_HOOKS) }
        Aarch64::<Hooked>::mode_begins();
        let counts = || [&BEGUN, &ENDED].map(|it| it.load(Ordering::Relaxed));
        assert_eq!(counts(), [1, 0]);
        Aarch64::<Hooked>::mode_ends();
        assert_eq!(counts(), [1, 1]);
        Aarch64::<Flags>::mode_begins();
        Aarch64::<Flags>::mode_ends();
    }
}
