//! The backend of an aarch64 kernel, made of the kernel's configuration.

use core::marker::PhantomData;

use super::barriers::{barrier_pair, table_barrier};
use super::tlb::{self, Regime, Tlbs};
use crate::protocol::backend::{Backend, Machine};
use crate::protocol::bits::Storage;
use crate::protocol::place::{BitsAt, InterruptTest, TaskPointer, current_task};
#[cfg(doc)]
use crate::protocol::place::{ByteAt, FlagsAt, MaybeNull};
use crate::protocol::range::Invalidation;

/// The configuration of an aarch64 kernel. [`Aarch64`] makes a [`Backend`] of it.
///
/// The associated types find the current task's structure, find the crate's bits in it, and
/// recognise interrupt context. The constants and functions have defaults that are right on every
/// CPU at EL1. This is all that a kernel with a structure for each task adds:
///
/// ```
/// use core::mem::offset_of;
/// use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
///
/// use aarch64_cpu::asm::barrier;
/// use aarch64_cpu::registers::{MIDR_EL1, Readable, SP_EL0, Writeable};
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, memory_type};
/// use lazy_mmu::aarch64::{Aarch64, ByteAt, Kernel, PreemptCountAt, SpEl0, errata};
///
/// /// A task. While the kernel runs, SP_EL0 points to the current one.
/// #[repr(C)]
/// struct Task {
///     /// Counts nested softirqs, interrupts and NMIs in the bits that Linux uses.
///     preempt_count: AtomicU32,
///     /// The four bits of the crate. They are clear in a new task.
///     lazy_mmu: AtomicU8,
///     // Here follow the saved registers, the stack and so on.
/// }
///
/// /// Whether all CPUs have booted, and each needs a broadcast TLB invalidation only once.
/// static ONCE_IS_ENOUGH: AtomicBool = AtomicBool::new(false);
///
/// struct MyKernel;
///
/// // SAFETY: `boot_cpu` sets SP_EL0 before the first store to a table, and `switch_to` for each
/// // task after that. The entry code loads it after an exception from EL0. A task is freed only
/// // after another one runs. Only the crate uses the byte `lazy_mmu`. The entry code of interrupts
/// // counts in `preempt_count`. `switch_to` executes the two barriers. Invalidations are repeated
/// // until all CPUs have booted.
/// unsafe impl Kernel for MyKernel {
///     type Task = SpEl0;
///     type Bits = ByteAt<{ offset_of!(Task, lazy_mmu) }>;
///     type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
///
///     fn needs_repeated_tlbi() -> bool {
///         !ONCE_IS_ENOUGH.load(Ordering::Relaxed)
///     }
/// }
///
/// type Mmu = Aarch64<MyKernel>;
///
/// // Code of the final binary and of its libraries need not name the backend after this line.
/// lazy_mmu::set_global_backend!(Mmu);
///
/// /// Runs first on each CPU, with its idle task. Returns whether the CPU has the erratum.
/// fn boot_cpu(idle: &'static Task) -> bool {
///     SP_EL0.set(core::ptr::from_ref(idle).expose_provenance() as u64);
///     errata::needs_repeated_tlbi(MIDR_EL1.get())
/// }
///
/// /// Runs once, after all CPUs have booted.
/// fn all_cpus_have_booted(one_has_the_erratum: bool) {
///     ONCE_IS_ENOUGH.store(!one_has_the_erratum, Ordering::Relaxed);
/// }
///
/// /// Switches to `next`, which this CPU has taken from the run queue. Interrupts are masked.
/// fn switch_to(next: &'static Task) {
///     // Completes the stores and TLB invalidations of the old task on all CPUs, before another
///     // CPU may run it.
///     barrier::dsb(barrier::ISH);
///     // Makes the CPU fetch the next instructions after it has read `next` from the run queue.
///     barrier::isb(barrier::SY);
///     SP_EL0.set(core::ptr::from_ref(next).expose_provenance() as u64);
///     // Here the kernel exchanges the stacks and the registers.
/// }
///
/// /// Maps consecutive pages of normal memory, which MAIR_EL1 has in its byte 1. All stores share
/// /// one barrier pair.
/// #[lazy_mmu::lazy_mmu(mmu)]
/// fn map_pages(slots: &[AtomicU64], first: u64) {
///     const NORMAL: u64 = KERNEL_DATA | memory_type(1);
///     mmu.write_range(slots, |i| Leaf::page(first + 4096 * i as u64, NORMAL));
/// }
/// ```
///
/// # Safety
///
/// The implementor promises:
///
/// * **Task.** Whenever the backend is used, also in handlers, [`Task`](Self::Task) points to the
///   structure of the task that runs or was interrupted. The structure lives as long as the task.
///   If the bits are in a byte of each CPU, the pointer points to the structure of this CPU
///   instead, which is never freed. With [`MaybeNull`] the pointer may be null before there is a
///   task.
/// * **Bits.** [`Bits`](Self::Bits) lie in that structure, aligned. They belong to the task, and
///   are clear when the task starts. If the kernel copies the structure of a parent, it clears
///   them, because the parent may be in a section. Only this crate changes them. The one exception
///   is a scheduler that swaps a byte of the CPU at a context switch. All other accesses to the
///   64-bit word or the byte that has them are atomic and of the same width. The [`Storage`] of
///   `Bits` is implemented as its page describes.
/// * **Interrupt context.** [`Interrupt`](Self::Interrupt) is true in every interrupt (IRQ and
///   FIQ), softirq, NMI and SError. The memory that `Interrupt` reads through the pointer lies in
///   the structure, aligned. All other accesses to that memory are atomic and of the same width, or
///   made by the task itself. The guide describes a [switch from an
///   interrupt](crate::guide::threads#a-switch-at-the-end-of-an-interrupt).
/// * **A stable place.** The bits do not change their place while a section, a pause or a handle of
///   the task lives. Bits in the structure of a task keep this duty. With a byte of each CPU, the
///   task does not move to another CPU while a section, a pause or a handle of the task lives. An
///   interrupt never moves it, outside sections too.
/// * **Context switch.** The CPU that gives a task up executes `dsb ish` after the last store and
///   TLB invalidation of the task, and before another CPU may run the task. The CPU that takes the
///   task over executes `isb`, or an exception return that synchronizes the context, after it has
///   taken the task over. A CPU takes a task over when it reads the task from the run queue, not
///   when it loads the registers. The `isb` may therefore precede the exchange of the registers:
///   the instructions of the task follow both. [`Backend`] has the reasons.
/// * **Errata.** [`needs_repeated_tlbi`](Self::needs_repeated_tlbi) returns true as soon as a CPU
///   that [`errata`](super::errata) lists uses the tables. Before that it may return false.
/// * **Regime.** [`REGIME`](Self::REGIME) is the regime in which the kernel runs.
/// * **TLB ranges.** [`HAS_TLB_RANGE`](Self::HAS_TLB_RANGE) is true only if every CPU has the
///   instructions and TCR_ELx.DS is 0. With FEAT_LPA2 addresses (DS is 1) the operands are
///   different.
/// * **Equal hooks.** Backends that share bits have the same hooks.
/// * **No recursion.** These methods do not unwind, open a section, or store through this crate:
///   the methods and hooks of this trait, of its three types, and of the [`Storage`].
pub unsafe trait Kernel: 'static {
    /// Finds the current task's structure: [`SpEl0`](super::SpEl0), for example.
    type Task: TaskPointer;
    /// Finds the bits in the task's structure: [`FlagsAt`] or [`ByteAt`].
    type Bits: BitsAt;
    /// Recognises interrupt context: [`PreemptCountAt`](super::PreemptCountAt), for example.
    type Interrupt: InterruptTest;

    /// The regime in which the kernel runs. Its TLB entries are invalidated.
    const REGIME: Regime = Regime::El1And0;

    /// Whether every CPU has the TLB range instructions (ID_AA64ISAR0_EL1.TLB is at least 2), and
    /// TCR_ELx.DS is 0. [`Tlbs`] shows the effect in an example.
    const HAS_TLB_RANGE: bool = false;

    /// The most TLBI instructions that one invalidation executes. If it needs more, it invalidates
    /// everything of the ASID or of the regime. The [repeated](Self::needs_repeated_tlbi) TLBI is
    /// not counted. [`MAX_TLBI_OPS`](super::MAX_TLBI_OPS) shows the effect in an example.
    const MAX_TLBI_OPS: u64 = tlb::MAX_TLBI_OPS;

    /// Whether a broadcast TLB invalidation is repeated: see [`Tlbs::invalidate`]. The default is
    /// right on every CPU.
    ///
    /// A kernel that knows its CPUs calls
    /// [`errata::needs_repeated_tlbi`](super::errata::needs_repeated_tlbi) for each of them at
    /// boot. It returns the result here, as in the example above.
    #[inline]
    fn needs_repeated_tlbi() -> bool {
        true
    }

    /// Whether the crate calls [`mode_begins`](Self::mode_begins) and
    /// [`mode_ends`](Self::mode_ends).
    ///
    /// The hooks of this kernel disable preemption while stores are deferred:
    ///
    /// ```
    /// # use core::mem::offset_of;
    /// # use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
    /// # use lazy_mmu::aarch64::{Aarch64, ByteAt, Kernel, PreemptCountAt, TaskPointer};
    /// # #[repr(C)]
    /// # struct Task {
    /// #     preempt_count: AtomicU32,
    /// #     lazy_mmu: AtomicU8,
    /// # }
    /// # static TASK: Task = Task { preempt_count: AtomicU32::new(0), lazy_mmu: AtomicU8::new(0) };
    /// # struct Current;
    /// # impl TaskPointer for Current {
    /// #     fn current() -> *mut u8 {
    /// #         (&raw const TASK).cast_mut().cast()
    /// #     }
    /// # }
    /// # fn current() -> &'static Task {
    /// #     &TASK
    /// # }
    /// # struct MyKernel;
    /// // SAFETY: as in the example above. The hooks change only the preempt count.
    /// unsafe impl Kernel for MyKernel {
    /// #   type Task = Current;
    /// #   type Bits = ByteAt<{ offset_of!(Task, lazy_mmu) }>;
    /// #   type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
    ///     // `Task`, `Bits` and `Interrupt` as in the example above.
    ///     const HAS_HOOKS: bool = true;
    ///
    ///     fn mode_begins() {
    ///         current().preempt_count.fetch_add(1, Ordering::Relaxed);
    ///     }
    ///
    ///     fn mode_ends() {
    ///         current().preempt_count.fetch_sub(1, Ordering::Relaxed);
    ///     }
    /// }
    /// # type Mmu = Aarch64<MyKernel>;
    ///
    /// let count = || current().preempt_count.load(Ordering::Relaxed);
    /// lazy_mmu::with::<Mmu, _>(|_| assert_eq!(count(), 1));
    /// assert_eq!(count(), 0);
    /// ```
    const HAS_HOOKS: bool = false;

    /// Called just before stores begin to be deferred on this thread: see [`Backend::mode_begins`].
    #[inline]
    fn mode_begins() {}

    /// Called just after stores have ceased to be deferred on this thread: see
    /// [`Backend::mode_ends`].
    #[inline]
    fn mode_ends() {}
}

/// The [`Backend`] and [`Machine`] of the kernel `K`. The page of [`Kernel`] shows how a kernel
/// implements `K`.
///
/// ```
/// # use core::mem::offset_of;
/// # use core::sync::atomic::{AtomicU8, AtomicU32};
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::aarch64::Aarch64;
/// # use lazy_mmu::aarch64::{ByteAt, Kernel, PreemptCountAt, TaskPointer};
/// use lazy_mmu::aarch64::descriptor::{Leaf, USER_DATA};
/// # #[repr(C)]
/// # struct Task {
/// #     preempt_count: AtomicU32,
/// #     lazy_mmu: AtomicU8,
/// # }
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
/// #     type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
/// # }
///
/// /// The backend of `MyKernel`, which implements `Kernel`.
/// type Mmu = Aarch64<MyKernel>;
///
/// let slot = AtomicU64::new(0);
/// let page = Leaf::page(0x4000_0000, USER_DATA);
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     assert!(lazy_mmu::is_active::<Mmu>());
///     mmu.write(&slot, page);
/// });
/// assert_eq!(slot.load(Ordering::Relaxed), page.0);
/// ```
pub struct Aarch64<K>(PhantomData<K>);

impl<K: Kernel> Aarch64<K> {
    /// Returns the description of the kernel's CPUs for TLB invalidation.
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

// SAFETY: the implementor of `K` promises that the bits are the task's own, that the test is true
// in interrupts, that the hooks keep their duties, and that a context switch executes its barriers.
unsafe impl<K: Kernel> Backend for Aarch64<K> {
    type Storage = <K::Bits as BitsAt>::Storage;
    type Machine = Self;

    #[inline]
    fn current() -> Self::Storage {
        // SAFETY: `K` promises that the bits lie in the structure to which the pointer points.
        current_task::<K::Task>()
            .map_or_else(Storage::inert, |task| unsafe { K::Bits::in_task(task) })
    }

    #[inline]
    fn in_interrupt() -> bool {
        // SAFETY: `K` promises that the pointer points to the current task's structure.
        current_task::<K::Task>().is_none_or(|task| unsafe { K::Interrupt::in_interrupt(task) })
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
        let Some(task) = current_task::<K::Task>() else {
            // Before the first task there are no bits. Sections are inert then, as in an interrupt
            // handler.
            return (Self::Storage::inert(), true);
        };
        // SAFETY: as in `current`.
        let bits = unsafe { K::Bits::in_task(task) };
        // SAFETY: as in `in_interrupt`.
        let in_interrupt = unsafe { K::Interrupt::in_interrupt(task) };
        (bits, in_interrupt)
    }
}

// SAFETY: the barriers are the architecture's, and `K` promises the properties of its CPUs.
unsafe impl<K: Kernel> Machine for Aarch64<K> {
    #[inline]
    fn barrier() {
        barrier_pair();
    }

    #[inline]
    fn table_barrier() {
        table_barrier();
    }

    /// Not inlined, because the instructions cost more than the call.
    #[inline(never)]
    fn invalidate(invalidations: &[Invalidation]) {
        Self::tlbs().invalidate(invalidations);
    }

    #[inline]
    fn invalidate_all() {
        Self::tlbs().invalidate_all();
    }
}

/// The [`Machine`] for a kernel at EL1 that implements [`Backend`] itself. It is right on every
/// CPU, because it invalidates with [`Tlbs::EL1`].
///
/// The page of [`Backend`] has an implementation with this machine. A kernel that switches the lazy
/// MMU mode off needs the machine only:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::Eager;
/// use lazy_mmu::aarch64::El1;
/// use lazy_mmu::aarch64::descriptor::{Leaf, USER_DATA};
///
/// /// The backend of a kernel at EL1 in which each store executes its barrier pair at once.
/// type Mmu = Eager<El1>;
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     assert!(!lazy_mmu::is_active::<Mmu>());
///     mmu.write(&slot, Leaf::page(0x4000_0000, USER_DATA));
/// });
/// ```
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

    /// Not inlined, because the instructions cost more than the call.
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
    use super::*;
    use crate::protocol::bits::Bits;
    use crate::protocol::place::{ByteAt, FlagsAt, PreemptCountAt};
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

    /// Takes the place of the register.
    struct Pointer;

    impl TaskPointer for Pointer {
        fn current() -> *mut u8 {
            (&raw const INFO).cast_mut().cast()
        }
    }

    struct Flags;

    // SAFETY: only one thread, the one of the test, uses INFO.
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
        // SAFETY: a section does not use these bits.
        unsafe { flags.set(Bits::EMPTY, Bits::ACTIVE) };
        assert_eq!(INFO.flags.load(Ordering::Relaxed), 1 << 62);
        // SAFETY: as above.
        unsafe { flags.set(Bits::ACTIVE, Bits::PENDING) };
        assert_eq!(INFO.flags.load(Ordering::Relaxed), 0b101 << 60);

        // SAFETY: as above.
        unsafe { Aarch64::<OwnByte>::current().set(Bits::EMPTY, Bits::ACTIVE) };
        assert_ne!(INFO.lazy_mmu.load(Ordering::Relaxed), 0);
        assert_eq!(INFO.other.load(Ordering::Relaxed), 0);

        // Disabled softirqs are an interrupt context, but disabled preemption is not.
        for (count, interrupt) in [(0, false), (7, false), (0x100, true), (0x0010_0000, true)] {
            INFO.preempt_count.store(count, Ordering::Relaxed);
            assert_eq!(Aarch64::<Flags>::in_interrupt(), interrupt);
            assert_eq!(Aarch64::<OwnByte>::context().1, interrupt);
        }
    }

    #[test]
    fn k01_a_kernel_says_what_its_cpus_have() {
        struct Modern;
        // SAFETY: the test does not use this backend.
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
        // SAFETY: the test does not enter a section.
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
